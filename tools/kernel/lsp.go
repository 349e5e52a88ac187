//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// server is a language server that this program started: gopls.
type server struct {
	in      io.WriteCloser
	cmd     *exec.Cmd
	mu      sync.Mutex // of writing
	next    int
	waiting map[int]chan reply
	state   sync.Mutex
	ended   chan struct{}
}

type reply struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Message string `json:"message"`
	} `json:"error"`
}

func startServer(program, dir string, env []string) (*server, error) {
	cmd := exec.Command(program, "serve")
	cmd.Dir = dir
	cmd.Env = env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt is for the cell
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{in: in, cmd: cmd, waiting: map[int]chan reply{}, ended: make(chan struct{})}
	go s.read(bufio.NewReader(out))
	return s, nil
}

func (s *server) write(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err = fmt.Fprintf(s.in, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return err
}

func (s *server) notify(method string, params any) error {
	return s.write(map[string]any{"jsonrpc": "2.0", "method": method, "params": params})
}

// call asks the server and decodes its answer into result.
func (s *server) call(ctx context.Context, method string, params, result any) error {
	s.state.Lock()
	s.next++
	id := s.next
	answer := make(chan reply, 1)
	s.waiting[id] = answer
	s.state.Unlock()
	defer func() {
		s.state.Lock()
		delete(s.waiting, id)
		s.state.Unlock()
	}()
	if err := s.write(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params}); err != nil {
		return err
	}
	select {
	case r := <-answer:
		if r.Error != nil {
			return fmt.Errorf("%s: %s", method, r.Error.Message)
		}
		return json.Unmarshal(r.Result, result)
	case <-s.ended:
		return fmt.Errorf("%s: the server has ended", method)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *server) read(out *bufio.Reader) {
	defer func() { close(s.ended); _ = s.cmd.Wait() }()
	for {
		length := 0
		for {
			line, err := out.ReadString('\n')
			if err != nil {
				return
			}
			line = strings.TrimSpace(line)
			if line == "" {
				break
			}
			if n, ok := strings.CutPrefix(line, "Content-Length: "); ok {
				length, _ = strconv.Atoi(n)
			}
		}
		body := make([]byte, length)
		if _, err := io.ReadFull(out, body); err != nil {
			return
		}
		var m struct {
			ID     json.RawMessage `json:"id"`
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
			reply
		}
		if json.Unmarshal(body, &m) != nil {
			continue
		}
		if m.Method == "" {
			id, _ := strconv.Atoi(string(m.ID))
			s.state.Lock()
			answer := s.waiting[id]
			s.state.Unlock()
			if answer != nil {
				answer <- m.reply
			}
			continue
		}
		if len(m.ID) > 0 { // the server asks: for its settings, or for nothing that matters here
			var result any
			if m.Method == "workspace/configuration" {
				var q struct {
					Items []any `json:"items"`
				}
				_ = json.Unmarshal(m.Params, &q)
				all := make([]any, len(q.Items))
				for i := range all {
					all[i] = settings
				}
				result = all
			}
			_ = s.write(map[string]any{"jsonrpc": "2.0", "id": m.ID, "result": result})
		}
	}
}

func (s *server) stop() {
	_ = s.in.Close()
	if s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(os.Interrupt)
	}
}

// settings of gopls: what is meant, each once, and no guesses at packages, which this program makes
// itself. No budget: a cold server that has 100 ms finds nothing.
var settings = map[string]any{
	"matcher":                        "CaseInsensitive",
	"completeUnimported":             false,
	"deepCompletion":                 false,
	"experimentalPostfixCompletions": false,
	"completionBudget":               "0s",
	"hoverKind":                      "FullDocumentation",
	"linksInHover":                   false,
	"diagnosticsDelay":               "1h",
	"staticcheck":                    false,
	"semanticTokens":                 false,
}
