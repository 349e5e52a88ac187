//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-zeromq/zmq4"
)

var serial atomic.Int64

// A connection file says where the five sockets of a kernel are.
type connection struct {
	Shell     int    `json:"shell_port"`
	IOPub     int    `json:"iopub_port"`
	Stdin     int    `json:"stdin_port"`
	Control   int    `json:"control_port"`
	Heartbeat int    `json:"hb_port"`
	IP        string `json:"ip"`
	Key       string `json:"key"`
	Transport string `json:"transport"`
	Scheme    string `json:"signature_scheme"`
	Name      string `json:"kernel_name"`
}

func (c connection) at(port int) string {
	if c.Transport == "ipc" {
		return fmt.Sprintf("ipc://%s-%d", c.IP, port)
	}
	return fmt.Sprintf("tcp://%s:%d", c.IP, port)
}

// A socket that several goroutines write to.
type socket struct {
	zmq4.Socket
	mu sync.Mutex
}

func (s *socket) send(frames [][]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.SendMulti(zmq4.NewMsgFrom(frames...))
}

// The relay stands between Jupyter and gonb. What it does not answer itself it passes on, and it
// says errors as a reader wants to read them.
type relay struct {
	key                          []byte
	shell, control, stdin, iopub *socket // to Jupyter
	heartbeat                    *socket
	back                         [3]*socket // shell, control, stdin of gonb
	news                         *socket    // what gonb publishes
	cells                        *cells
	help                         *helper
	ready                        chan struct{} // closed when the first thing that gonb publishes arrives
}

// newRelay reads Jupyter's connection file, listens on its sockets, and writes the connection file
// of a kernel behind them into dir.
func newRelay(file, dir string, help *helper) (*relay, string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	var front connection
	if err := json.Unmarshal(text, &front); err != nil {
		return nil, "", fmt.Errorf("%s: %w", file, err)
	}
	back := front
	back.Transport, back.IP = "ipc", filepath.Join(dir, "gonb")
	back.Shell, back.IOPub, back.Stdin, back.Control, back.Heartbeat = 1, 2, 3, 4, 5
	behind := filepath.Join(dir, filepath.Base(file)) // whose name holds the kernel's, which gonb's widgets ask for
	text, err = json.Marshal(back)
	if err != nil {
		return nil, "", err
	}
	if err := os.WriteFile(behind, text, 0o600); err != nil {
		return nil, "", err
	}
	ctx := context.Background()
	r := &relay{key: []byte(front.Key), help: help, ready: make(chan struct{}),
		shell: &socket{Socket: zmq4.NewRouter(ctx)}, control: &socket{Socket: zmq4.NewRouter(ctx)}, stdin: &socket{Socket: zmq4.NewRouter(ctx)},
		iopub: &socket{Socket: zmq4.NewPub(ctx)}, heartbeat: &socket{Socket: zmq4.NewRep(ctx)}}
	r.cells = newCells(help, func(parent *message, msgType string, content any) {
		if f, err := parent.answer(r.key, [][]byte{[]byte(msgType)}, msgType, content); err == nil {
			_ = r.iopub.send(f)
		}
	})
	for _, l := range []struct {
		s    *socket
		port int
	}{{r.shell, front.Shell}, {r.control, front.Control}, {r.stdin, front.Stdin}, {r.iopub, front.IOPub}, {r.heartbeat, front.Heartbeat}} {
		if err := l.s.Listen(front.at(l.port)); err != nil {
			return nil, "", err
		}
	}
	go r.beat()
	// One identity for the three: gonb asks for input of the one who asked it to execute.
	id := zmq4.WithID(zmq4.SocketIdentity("latent"))
	retry := zmq4.WithDialerRetry(20 * time.Millisecond)
	go func() {
		dial := func(s zmq4.Socket, port int) *socket {
			for s.Dial(back.at(port)) != nil {
				time.Sleep(20 * time.Millisecond) // gonb is not there yet; if it never is, this program ends with it
			}
			return &socket{Socket: s}
		}
		sub := zmq4.NewSub(ctx, retry)
		r.news = dial(sub, back.IOPub)
		_ = sub.SetOption(zmq4.OptionSubscribe, "")
		for i, port := range []int{back.Shell, back.Control, back.Stdin} {
			r.back[i] = dial(zmq4.NewDealer(ctx, id, retry), port)
		}
		go r.publish()
		r.greet()
		for i, s := range []*socket{r.shell, r.control, r.stdin} {
			go r.ask(s, r.back[i])
			go r.reply(r.back[i], s)
		}
	}()
	return r, behind, nil
}

func (r *relay) beat() {
	for {
		msg, err := r.heartbeat.Recv()
		if err != nil {
			return
		}
		_ = r.heartbeat.Send(msg)
	}
}

// greet asks gonb who it is until something that it publishes arrives here: before, what it says
// would be lost. The answers are for nobody.
func (r *relay) greet() {
	for n := 0; ; n++ {
		id := fmt.Sprintf("greeting-%d", n)
		head, _ := json.Marshal(header{ID: id, Type: "kernel_info_request", Version: "5.3", Date: time.Now().UTC().Format(time.RFC3339Nano)})
		_ = r.back[0].send(frames(r.key, [][]byte{[]byte(id)}, [4][]byte{head, []byte("{}"), []byte("{}"), []byte("{}")}, nil))
		msg, err := r.back[0].Recv()
		if err != nil {
			return
		}
		_ = msg
		select {
		case <-r.ready:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ask passes Jupyter's questions on to gonb, or answers them.
func (r *relay) ask(from, to *socket) {
	for {
		msg, err := from.Recv()
		if err != nil {
			return
		}
		m, err := parseMessage(msg.Frames)
		if err != nil || !m.authentic(r.key) {
			continue
		}
		switch m.header.Type {
		case "complete_request", "inspect_request":
			go r.answer(from, m)
			continue
		case "execute_request":
			r.cells.begin(m)
		}
		_ = to.send(msg.Frames)
	}
}

func (r *relay) answer(to *socket, m *message) {
	status := func(s string) {
		if f, err := m.answer(r.key, [][]byte{[]byte("status")}, "status", map[string]string{"execution_state": s}); err == nil {
			_ = r.iopub.send(f)
		}
	}
	status("busy")
	defer status("idle")
	var q struct {
		Code   string `json:"code"`
		Cursor int    `json:"cursor_pos"`
	}
	_ = json.Unmarshal(m.raw[3], &q)
	var content any
	kind := "complete_reply"
	if m.header.Type == "inspect_request" {
		kind = "inspect_reply"
		content = r.help.inspect(r.cells.kept(), q.Code, q.Cursor)
	} else {
		content = r.help.complete(r.cells.kept(), q.Code, q.Cursor)
	}
	if f, err := m.answer(r.key, m.to, kind, content); err == nil {
		_ = to.send(f)
	}
}

// reply passes gonb's answers on to Jupyter. The answer to a cell that failed says what was
// published about it.
func (r *relay) reply(from, to *socket) {
	for {
		msg, err := from.Recv()
		if err != nil {
			return
		}
		m, err := parseMessage(msg.Frames)
		if err != nil {
			continue
		}
		out := msg.Frames
		if m.header.Type == "execute_reply" {
			var content map[string]any
			if json.Unmarshal(m.raw[3], &content) == nil {
				if said, failed := r.cells.end(m.parent.ID, content["status"] == "error"); failed {
					content["ename"], content["evalue"], content["traceback"] = said.Name, said.Value, said.Traceback
					if f, err := m.with(r.key, content); err == nil {
						out = f
					}
				}
			}
		}
		_ = to.send(out)
	}
}

// publish passes on what gonb publishes.
func (r *relay) publish() {
	var once sync.Once
	for {
		msg, err := r.news.Recv()
		if err != nil {
			return
		}
		once.Do(func() { close(r.ready) })
		m, err := parseMessage(msg.Frames)
		if err != nil || len(m.parent.ID) > 8 && m.parent.ID[:9] == "greeting-" {
			continue
		}
		out := msg.Frames
		switch m.header.Type {
		case "stream":
			var s stream
			if json.Unmarshal(m.raw[3], &s) != nil {
				break
			}
			text := r.cells.stream(m.parent.ID, s)
			if text == s.Text {
				break
			}
			if text == "" {
				continue
			}
			s.Text = text
			if f, err := m.with(r.key, s); err == nil {
				out = f
			}
		case "error":
			var said failure
			if json.Unmarshal(m.raw[3], &said) != nil {
				break
			}
			if f, err := m.with(r.key, r.cells.fail(m.parent.ID, said)); err == nil {
				out = f
			}
		case "status":
			var s struct {
				State string `json:"execution_state"`
			}
			if json.Unmarshal(m.raw[3], &s) == nil && s.State == "idle" {
				r.cells.release(m.parent.ID)
			}
		}
		_ = r.iopub.send(out)
	}
}
