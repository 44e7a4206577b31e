package kubernetes

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/sessionkit/sessionkit/session"
	"github.com/sessionkit/sessionkit/test/internal/nodetest"
)

// mountPath is where the manifest mounts the secret.
const mountPath = "/etc/app/secret"

type metadata struct {
	Name   string
	Labels map[string]string
}

type probe struct {
	HTTPGet struct {
		Path, Port string
	} `yaml:"httpGet"`
	PeriodSeconds    int `yaml:"periodSeconds"`
	FailureThreshold int `yaml:"failureThreshold"`
}

type container struct {
	Name, Image string
	Args        []string
	Ports       []struct {
		Name          string
		ContainerPort string `yaml:"containerPort"`
	}
	LivenessProbe  probe `yaml:"livenessProbe"`
	ReadinessProbe probe `yaml:"readinessProbe"`
	Resources      struct {
		Requests, Limits map[string]string
	}
	SecurityContext struct {
		AllowPrivilegeEscalation bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
		ReadOnly  bool   `yaml:"readOnly"`
	} `yaml:"volumeMounts"`
}

// manifests are the objects. A field that is not here is refused, as the API server refuses a
// misspelt one: among them is subPath, under which a file never changes.
type manifests struct {
	deployment struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   metadata
		Spec       struct {
			Replicas int
			Selector struct {
				MatchLabels map[string]string `yaml:"matchLabels"`
			}
			Strategy struct {
				RollingUpdate struct {
					MaxUnavailable int `yaml:"maxUnavailable"`
					MaxSurge       int `yaml:"maxSurge"`
				} `yaml:"rollingUpdate"`
			}
			Template struct {
				Metadata metadata
				Spec     struct {
					GracePeriod     int   `yaml:"terminationGracePeriodSeconds"`
					AutomountToken  *bool `yaml:"automountServiceAccountToken"`
					SecurityContext struct {
						RunAsNonRoot   bool              `yaml:"runAsNonRoot"`
						RunAsUser      int               `yaml:"runAsUser"`
						RunAsGroup     int               `yaml:"runAsGroup"`
						FSGroup        int               `yaml:"fsGroup"`
						SeccompProfile map[string]string `yaml:"seccompProfile"`
					} `yaml:"securityContext"`
					Containers []container
					Volumes    []struct {
						Name   string
						Secret struct {
							SecretName  string `yaml:"secretName"`
							DefaultMode int    `yaml:"defaultMode"`
						}
					}
				}
			}
		}
	}
	service struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   metadata
		Spec       struct {
			Selector map[string]string
			Ports    []struct {
				Name       string
				Port       int
				TargetPort string `yaml:"targetPort"`
			}
		}
	}
	secret struct {
		APIVersion string `yaml:"apiVersion"`
		Kind       string
		Metadata   metadata
		Type       string
		StringData map[string]string `yaml:"stringData"`
	}
}

func readManifests(t *testing.T) (m manifests) {
	t.Helper()
	example, err := nodetest.Dir()
	if err != nil {
		t.Fatal(err)
	}
	for name, object := range map[string]any{"deployment": &m.deployment, "service": &m.service, "secret": &m.secret} {
		text, err := os.ReadFile(filepath.Join(example, "kubernetes", "manifests", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.UnmarshalWithOptions(text, object, yaml.DisallowUnknownField()); err != nil {
			t.Fatalf("%s.yaml: %v", name, err)
		}
	}
	if len(m.deployment.Spec.Template.Spec.Containers) != 1 {
		t.Fatal("the deployment has not one container")
	}
	return m
}

func (m manifests) container() container { return m.deployment.Spec.Template.Spec.Containers[0] }

// flag returns the value of an argument.
func (c container) flag(t *testing.T, name string) string {
	t.Helper()
	for _, arg := range c.Args {
		if value, ok := strings.CutPrefix(arg, "-"+name+"="); ok {
			return value
		}
	}
	t.Fatalf("the container has no argument -%s=", name)
	return ""
}

func (c container) port(name string) string {
	for _, p := range c.Ports {
		if p.Name == name {
			return ":" + p.ContainerPort
		}
	}
	return "no port " + name
}

// The program itself starts with these arguments in the other tests, and answers these probes.
func TestManifests_FitTheProgram(t *testing.T) {
	m := readManifests(t)
	c, pod := m.container(), m.deployment.Spec.Template.Spec
	duration := func(name string) time.Duration {
		d, err := time.ParseDuration(c.flag(t, name))
		if err != nil {
			t.Errorf("-%s: %v", name, err)
		}
		return d
	}
	pause, grace := duration("pause"), duration("grace")
	readiness := time.Duration(c.ReadinessProbe.PeriodSeconds*c.ReadinessProbe.FailureThreshold) * time.Second
	labels := m.deployment.Spec.Template.Metadata.Labels
	if len(m.service.Spec.Ports) != 1 || len(c.VolumeMounts) != 1 || len(pod.Volumes) != 1 || len(labels) == 0 {
		t.Fatalf("one port, one volume and labels are expected: %+v", m)
	}
	volume := pod.Volumes[0]
	for what, holds := range map[string]bool{
		"the kinds":                       m.deployment.Kind == "Deployment" && m.service.Kind == "Service" && m.secret.Kind == "Secret",
		"the versions":                    m.deployment.APIVersion == "apps/v1" && m.service.APIVersion == "v1" && m.secret.APIVersion == "v1",
		"the deployment selects its pods": m.deployment.Spec.Selector.MatchLabels["app"] == labels["app"] && labels["app"] != "",
		"the service selects its pods":    m.service.Spec.Selector["app"] == labels["app"],
		"the service leads to -addr":      c.port(m.service.Spec.Ports[0].TargetPort) == c.flag(t, "addr"),
		"liveness asks -probes":           c.port(c.LivenessProbe.HTTPGet.Port) == c.flag(t, "probes"),
		"readiness asks -probes":          c.port(c.ReadinessProbe.HTTPGet.Port) == c.flag(t, "probes"),
		"the pod has time to end":         time.Duration(pod.GracePeriod)*time.Second >= pause+grace+5*time.Second,
		"the pause outlasts readiness":    readiness > 0 && pause >= 2*readiness,
		"more than one replica":           m.deployment.Spec.Replicas > 1,
		"pods come before others go":      m.deployment.Spec.Strategy.RollingUpdate.MaxUnavailable == 0 && m.deployment.Spec.Strategy.RollingUpdate.MaxSurge > 0,
		"the volume is mounted":           c.VolumeMounts[0].Name == volume.Name && c.VolumeMounts[0].MountPath == mountPath && c.VolumeMounts[0].ReadOnly,
		"the secret is the volume":        volume.Secret.SecretName == m.secret.Metadata.Name,
		"others cannot read the volume":   volume.Secret.DefaultMode == 0o440 && pod.SecurityContext.FSGroup > 0,
		"no root":                         pod.SecurityContext.RunAsNonRoot && pod.SecurityContext.RunAsUser > 0 && pod.SecurityContext.RunAsGroup > 0,
		"a system call filter":            pod.SecurityContext.SeccompProfile["type"] == "RuntimeDefault",
		"no token of the cluster":         pod.AutomountToken != nil && !*pod.AutomountToken,
		"a read-only file system":         c.SecurityContext.ReadOnlyRootFilesystem && !c.SecurityContext.AllowPrivilegeEscalation && slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}),
		"limits":                          c.Resources.Limits["memory"] != "" && c.Resources.Requests["cpu"] != "",
	} {
		if !holds {
			t.Errorf("the manifests do not have it that: %s", what)
		}
	}
	for _, name := range []string{"keys", "dsn"} {
		if folder, file := filepath.Split(c.flag(t, name)); filepath.Clean(folder) != mountPath || m.secret.StringData[file] == "" {
			t.Errorf("-%s is %s, which the volume does not have", name, c.flag(t, name))
		}
	}

	for path, want := range map[string]string{"/livez": c.LivenessProbe.HTTPGet.Path, "/readyz": c.ReadinessProbe.HTTPGet.Path} {
		if path != want {
			t.Errorf("the probe asks for %s; the other tests for %s", want, path)
		}
	}
}

// Whoever applies the Secret as it is must not get an app with a key that everybody knows.
func TestManifests_HaveNoKeyThatWorks(t *testing.T) {
	m := readManifests(t)
	if _, err := session.ParseKeys(m.secret.StringData["keys"]); err == nil {
		t.Error("the key in the manifest is accepted")
	}
	p := launch(t, newVolume(t, m.secret.StringData))
	if code := p.exit(); code != 1 || len(p.lines("the app ends")) != 1 {
		t.Errorf("exit code %d; want 1, and an error in the log", code)
	}
}
