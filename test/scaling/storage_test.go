package scaling

import (
	"fmt"
	"testing"
	"time"

	"github.com/sessionkit/sessionkit/sqlstore"
)

// stored is the measured storage and speed of one MariaDB server.
type stored struct {
	version       string
	kinds         []kindOfID
	refreshes     float64 // per second, each S and U1
	logPerRefresh float64 // bytes in InnoDB's redo log
	polls         pollCost
}

// kindOfID is the storage of a session, in bytes, for one type of user ids.
type kindOfID struct {
	name                 string
	indexes              map[string]float64
	data, index          float64 // from information_schema
	agentBytes, ipLength float64
}

func (k kindOfID) all() (sum float64) {
	for _, bytes := range k.indexes {
		sum += bytes
	}
	return sum
}

// measureStorage fills real tables in the same way as production: logins with random
// ids, then confirmations in random order. The pages are therefore as full as there.
func measureStorage(t *testing.T, sessions int, keepFor time.Duration) (s stored) {
	for _, kind := range []struct {
		name string
		id   sqlstore.IDKind
	}{{"BIGINT", sqlstore.Integer}, {"VARCHAR(26)", sqlstore.Text}} {
		d := openDatabase(t, kind.id, sessions, keepFor)
		d.value(&s.version, "SELECT VERSION()")
		d.each(d.confirm)
		if kind.id == sqlstore.Integer {
			written, begin := d.logged(), time.Now()
			d.each(d.refresh)
			s.refreshes = float64(sessions) / time.Since(begin).Seconds()
			s.logPerRefresh = (d.logged() - written) / float64(sessions)
		} else {
			d.each(d.confirm)
		}
		d.waitForPurge()
		s.kinds = append(s.kinds, d.size(kind.name))
		if kind.id == sqlstore.Integer {
			s.polls = d.pollCost(sessions / 10)
		}
	}
	return s
}

func (d *database) value(dest any, query string, args ...any) {
	d.Helper()
	d.must(d.db.QueryRow(query, args...).Scan(dest))
}

// logged is the number of bytes that InnoDB has written to its redo log so far. MariaDB and
// MySQL have different names for it.
func (d *database) logged() (bytes float64) {
	d.Helper()
	var name string
	d.must(d.db.QueryRow("SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_lsn_current', 'Innodb_redo_log_current_lsn')").Scan(&name, &bytes))
	return bytes
}

// unpurged is the number of transactions whose old index entries InnoDB still has.
func (d *database) unpurged() (n int) {
	d.Helper()
	d.value(&n, "SELECT COUNT FROM information_schema.INNODB_METRICS WHERE NAME = 'trx_rseg_history_len'")
	return n
}

// waitForPurge waits until InnoDB has removed the index entries that were replaced.
func (d *database) waitForPurge() {
	d.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for d.unpurged() > 500 {
		if time.Now().After(deadline) {
			d.Fatal("InnoDB has not purged old index entries within 2 minutes")
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (d *database) size(kind string) kindOfID {
	d.Helper()
	d.exec("ANALYZE TABLE sessions")
	n := float64(len(d.sessions))
	k := kindOfID{name: kind, indexes: map[string]float64{}}
	d.must(d.db.QueryRow("SELECT data_length, index_length FROM information_schema.TABLES WHERE table_schema = DATABASE() AND table_name = 'sessions'").Scan(&k.data, &k.index))
	k.data, k.index = k.data/n, k.index/n
	d.must(d.db.QueryRow("SELECT AVG(LENGTH(user_agent)), AVG(LENGTH(ip)) FROM sessions").Scan(&k.agentBytes, &k.ipLength))
	rows, err := d.db.Query("SELECT index_name, stat_value * @@innodb_page_size FROM mysql.innodb_index_stats WHERE database_name = DATABASE() AND table_name = 'sessions' AND stat_name = 'size'")
	d.must(err)
	defer rows.Close()
	for rows.Next() {
		var name string
		var bytes float64
		d.must(rows.Scan(&name, &bytes))
		k.indexes[name] = bytes / n
	}
	d.must(rows.Err())
	// Both sources count the pages that InnoDB has allocated for the table.
	if sum := k.all(); sum < 0.99*(k.data+k.index) || sum > 1.01*(k.data+k.index) || k.indexes["PRIMARY"] < 200 {
		d.Errorf("the indexes have %v bytes per row, but information_schema reports %v (data) and %v (index)", k.indexes, k.data, k.index)
	}
	return k
}

func (s stored) print(sessions int) {
	say("## Storage of a session")
	say("%s sessions with random ids, two per user, each confirmed twice in random order, on MariaDB %s; user agents of %.0f bytes and addresses of %.0f on average. "+
		"The figures are bytes per session, including free space in the pages. Each secondary index also contains the 16 bytes of the primary key; by_change and by_external have an entry for every row, also for NULL.",
		number(float64(sessions), 0), s.version, s.kinds[0].agentBytes, s.kinds[0].ipLength)
	lines := table{{"user id", "row (PRIMARY)", "by_user", "by_external", "by_change", "by_expiry", "total", "data_length", "index_length"}}
	for _, k := range s.kinds {
		line := []string{k.name}
		for _, index := range []string{"PRIMARY", "by_user", "by_external", "by_change", "by_expiry"} {
			line = append(line, number(k.indexes[index], 0))
		}
		lines.row(append(line, number(k.all(), 0), number(k.data, 0), number(k.index, 0))...)
	}
	lines.print()
}

func gigabytes(bytes float64) string { return fmt.Sprintf("%s GB", rounded(bytes/1e9)) }
