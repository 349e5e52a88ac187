package wire

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"reflect"
	"runtime"
	"strings"

	"github.com/golatent/latent/tutorials/check"
)

const (
	maxFrame  = 64 << 20
	returned  = 0 // results, then the arguments as the function left them
	panicked  = 1 // the panic's value and where it was
	unwritten = 2 // which function is not written yet
	callsFile = 3 // file descriptors in the student's process
	replyFile = 4
)

// Serve answers calls of the student's functions, by name, until there are no more. It runs in the
// student's process.
func Serve(functions map[string]any) {
	calls, replies := bufio.NewReader(os.NewFile(callsFile, "calls")), os.NewFile(replyFile, "replies")
	for {
		frame, err := readFrame(calls)
		if err != nil {
			return
		}
		reply, err := answer(functions, frame)
		if err != nil {
			reply = failure(panicked, err.Error(), "")
		}
		if writeFrame(replies, reply) != nil {
			return
		}
	}
}

func answer(functions map[string]any, frame []byte) (reply []byte, err error) {
	var name string
	b, err := decodeValue(frame, reflect.ValueOf(&name).Elem())
	if err != nil {
		return nil, err
	}
	f := reflect.ValueOf(functions[name])
	if !f.IsValid() {
		return failure(panicked, "there is no such function", ""), nil
	}
	args := make([]reflect.Value, f.Type().NumIn())
	for i := range args {
		args[i] = reflect.New(f.Type().In(i)).Elem()
		if b, err = decodeValue(b, args[i]); err != nil {
			return nil, err
		}
	}
	defer func() {
		if p := recover(); p != nil {
			what, function, place := fmt.Sprint(p), "", ""
			if function, place = where(); strings.HasPrefix(what, check.NotWritten) && function != "" {
				reply, err = failure(unwritten, function+" is "+check.NotWritten, ""), nil
				return
			}
			reply, err = failure(panicked, what, place), nil
		}
	}()
	results := f.Call(args)
	reply = []byte{returned}
	for _, r := range results {
		v := reflect.New(r.Type()).Elem()
		v.Set(r)
		if reply, err = appendValue(reply, v); err != nil {
			return nil, err
		}
	}
	for _, a := range args {
		if reply, err = appendValue(reply, a); err != nil {
			return nil, err
		}
	}
	return reply, nil
}

func failure(kind byte, what, place string) []byte {
	b, _ := appendValue([]byte{kind}, reflect.ValueOf(what))
	b, _ = appendValue(b, reflect.ValueOf(place))
	return b
}

// where returns the innermost function of the student's that a panic passed through, and its line.
// Lines of answers are in files named "cell of …".
func where() (function, line string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if i := strings.LastIndex(f.File, "cell of "); i >= 0 {
			return strings.TrimPrefix(f.Function, "main."), fmt.Sprintf("the %s, line %d", f.File[i:], f.Line)
		}
		if !more {
			return "", ""
		}
	}
}

func readFrame(r io.Reader) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := binary.LittleEndian.Uint32(head[:])
	if n > maxFrame {
		return nil, errMalformed
	}
	b := make([]byte, n)
	_, err := io.ReadFull(r, b)
	return b, err
}

func writeFrame(w io.Writer, b []byte) error {
	if len(b) > maxFrame {
		return fmt.Errorf("%d bytes are more than can be sent", len(b))
	}
	_, err := w.Write(append(binary.LittleEndian.AppendUint32(make([]byte, 0, 4+len(b)), uint32(len(b))), b...))
	return err
}
