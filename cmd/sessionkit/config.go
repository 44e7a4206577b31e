package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// defaultConfig is read if it exists and nothing else is named.
const defaultConfig = "sessionkit.json"

var dialects = map[string]sqlstore.Dialect{"mysql": sqlstore.MySQL, "postgres": sqlstore.PostgreSQL, "sqlite": sqlstore.SQLite}

var idKinds = map[string]sqlstore.IDKind{"integer": sqlstore.Integer, "uuid": sqlstore.UUID, "text": sqlstore.Text}

// config is the configuration's file. The names of its fields are those of sqlstore.Config.
type config struct {
	file    string
	dialect string
	idKind  string
	audit   bool // the app has the audit log: migrate and the like prepare it
	store   sqlstore.Config

	// Where the DSN is. It stands in no flag and not in the file: the first would show it to every user of the machine.
	dsnEnv, dsnFile string
}

// fields returns where each field of the file goes.
func (c *config) fields() map[string]any {
	return map[string]any{
		"dialect":        &c.dialect,
		"dsn_env":        &c.dsnEnv,
		"dsn_file":       &c.dsnFile,
		"sessions":       &c.store.Sessions,
		"users":          &c.store.Users,
		"id":             &c.store.ID,
		"id_kind":        &c.idKind,
		"id_column_type": &c.store.IDColumnType,
		"audit":          &c.audit,
		"epoch":          &c.store.Epoch,
		"disabled":       &c.store.Disabled,
		"roles":          &c.store.Roles,
		"attrs":          &c.store.Attrs,
	}
}

// loadConfig reads the configuration that the command line or the environment names.
func (i *invocation) loadConfig() (*config, error) {
	file := i.config
	if file == "" {
		file = i.getenv("SESSIONKIT_CONFIG")
	}
	if file == "" {
		file = defaultConfig
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, usageError("there is no configuration: name its file with -config or in SESSIONKIT_CONFIG, or make %s", defaultConfig)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the configuration: %w", err)
	}
	c, err := parseConfig(text)
	if err != nil {
		return nil, fmt.Errorf("the configuration %s is faulty:\n%w", file, err)
	}
	c.file = file
	return c, nil
}

// parseConfig reads a configuration. The error names every fault at once.
func parseConfig(text []byte) (*config, error) {
	var raw map[string]json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&raw); err != nil {
		return nil, fmt.Errorf("it is not one JSON object: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows its JSON object")
	}
	c := &config{}
	fields := c.fields()
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		target, known := fields[name]
		if !known {
			// Neither the value nor its length: it may be a DSN.
			faults = append(faults, fmt.Errorf("%q is no field: use %s", name, strings.Join(slices.Sorted(maps.Keys(fields)), ", ")))
			continue
		}
		if err := json.Unmarshal(raw[name], target); err != nil {
			kind := "a text"
			switch name {
			case "attrs":
				kind = "an object of texts"
			case "audit":
				kind = "true or false"
			}
			faults = append(faults, fmt.Errorf("%q is not %s", name, kind))
		}
	}
	var ok bool
	if c.store.Dialect, ok = dialects[c.dialect]; !ok {
		faults = append(faults, fmt.Errorf("\"dialect\" is %q: use %s", c.dialect, strings.Join(slices.Sorted(maps.Keys(dialects)), ", ")))
	}
	if c.store.IDKind, ok = idKinds[c.idKind]; !ok && c.idKind != "" {
		faults = append(faults, fmt.Errorf("\"id_kind\" is %q: use %s", c.idKind, strings.Join(slices.Sorted(maps.Keys(idKinds)), ", ")))
	}
	if (c.dsnEnv == "") == (c.dsnFile == "") {
		faults = append(faults, errors.New(`name the DSN's place once: "dsn_env" is the name of an environment variable, "dsn_file" that of a file`))
	}
	if err := c.checkStore(); err != nil {
		faults = append(faults, err)
	}
	return c, errors.Join(faults...)
}

// checkStore returns the faults that sqlstore finds. It judges the names and expressions only.
func (c *config) checkStore() error {
	cfg := c.store
	if c.needsDatabase() {
		cfg.IDColumnType = "VARBINARY(255)" // any that Schema accepts
	}
	_, err := sqlstore.Schema(cfg)
	return err
}

// needsDatabase says that the schema depends on the app's table.
func (c *config) needsDatabase() bool {
	return c.store.Dialect == sqlstore.MySQL && c.store.IDKind == sqlstore.Text && c.store.IDColumnType == ""
}

// dsn reads the DSN. No error quotes it.
func (c *config) dsn(getenv func(string) string) (string, error) {
	if c.dsnEnv != "" {
		if dsn := strings.TrimSpace(getenv(c.dsnEnv)); dsn != "" {
			return dsn, nil
		}
		return "", fmt.Errorf("the environment variable that \"dsn_env\" of %s names is empty: put the DSN into it", c.file)
	}
	name := c.dsnFile
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(c.file), name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		// Whoever writes the DSN itself into the field must not see it here.
		return "", fmt.Errorf("the file that \"dsn_file\" of %s names cannot be read: %w", c.file, errors.Unwrap(err))
	}
	if dsn := strings.TrimSpace(string(text)); dsn != "" {
		return dsn, nil
	}
	return "", fmt.Errorf("the file that \"dsn_file\" of %s names is empty: put the DSN into it", c.file)
}
