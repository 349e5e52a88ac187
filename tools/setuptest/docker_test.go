//go:build unix

package setuptest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// target checks that words are a call of make that the Makefile knows.
func target(t *testing.T, makefile string, words []string) {
	t.Helper()
	if len(words) < 2 || words[0] != "make" || !regexp.MustCompile(`(?m)^`+regexp.QuoteMeta(words[1])+`:`).MatchString(makefile) {
		t.Errorf("%q calls no target of the Makefile", words)
		return
	}
	for _, w := range words[2:] {
		if name, _, ok := strings.Cut(w, "="); !ok || !strings.Contains(makefile, "$("+name+")") && !regexp.MustCompile(`(?m)^`+name+` \?=`).MatchString(makefile) && !strings.Contains(makefile, "$(filter no,$("+name+"))") {
			t.Errorf("%q: the Makefile has no variable %s", words, name)
		}
	}
}

// No engine builds the images here, so what can go wrong in them is kept small and checked: after
// the system's packages an image does nothing but call the Makefile's targets, as an ordinary user,
// on the Go that go.mod names.
func TestDockerfiles(t *testing.T) {
	makefile := read(t, "../../Makefile")
	goVersion := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(read(t, "../../go.mod"))[1]
	files, err := filepath.Glob("../../docker/Dockerfile*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, path := range files {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var seen []string
			user := "root"
			for _, line := range strings.Split(strings.ReplaceAll(read(t, path), "\\\n", " "), "\n") {
				words := strings.Fields(line)
				if len(words) == 0 || strings.HasPrefix(line, "#") {
					continue
				}
				seen = append(seen, words[0])
				switch words[0] {
				case "FROM":
					if !strings.HasPrefix(words[1], "golang:"+goVersion) {
						t.Errorf("it is built on %s, go.mod wants Go %s", words[1], goVersion)
					}
				case "RUN":
					switch {
					case words[1] == "apt-get" && user == "root":
						for _, p := range []string{"python3", "python3-venv", "make", "gcc"} {
							if !slices.Contains(words, p) {
								t.Errorf("%s is not installed", p)
							}
						}
					case words[1] == "mkdir":
					default:
						target(t, makefile, words[1:])
						if user == "root" {
							t.Errorf("%q runs as root", line)
						}
					}
				case "USER":
					user = words[1]
				case "CMD":
					var command []string
					if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "CMD ")), &command); err != nil {
						t.Errorf("%q is no list: %v", line, err)
					}
					target(t, makefile, command)
				case "WORKDIR", "COPY", "EXPOSE":
				default:
					t.Errorf("an instruction that nobody has checked: %q", line)
				}
			}
			if user == "root" || !slices.Contains(seen, "CMD") || !slices.Contains(seen, "COPY") {
				t.Errorf("it ends as user %s, with %v", user, seen)
			}
		})
	}
}

// The compose file is written in so small a part of YAML that lines can be checked: Dockerfiles
// that exist, ports on this machine alone, volumes declared.
func TestCompose(t *testing.T) {
	text := read(t, "../../docker/compose.yaml")
	if strings.Contains(text, "\t") {
		t.Error("a tab is no indentation in YAML")
	}
	services := 0
	for _, m := range regexp.MustCompile(`build: \{context: (\S+), dockerfile: (\S+)\}`).FindAllStringSubmatch(text, -1) {
		services++
		if _, err := os.Stat(filepath.Join("../../docker", m[1], m[2])); err != nil {
			t.Error(err)
		}
	}
	ports := regexp.MustCompile(`ports: \["([^"]*)"\]`).FindAllStringSubmatch(text, -1)
	for _, m := range ports {
		if !strings.HasPrefix(m[1], "127.0.0.1:") {
			t.Errorf("port %s is open to the network", m[1])
		}
	}
	volumes := regexp.MustCompile(`volumes: \["(\w+):`).FindAllStringSubmatch(text, -1)
	for _, m := range volumes {
		if !regexp.MustCompile(`(?m)^  ` + m[1] + `:$`).MatchString(text) {
			t.Errorf("volume %s is not declared", m[1])
		}
	}
	if services != 2 || len(ports) != services || len(volumes) != services {
		t.Errorf("%d services, %d ports, %d volumes", services, len(ports), len(volumes))
	}
}
