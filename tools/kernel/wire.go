//go:build unix

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A message of Jupyter's protocol: who it goes to, a delimiter, a signature and four parts in JSON,
// of which only those are read that this program wants to know.
type message struct {
	to       [][]byte
	header   header
	parent   header
	raw      [4][]byte // header, parent header, metadata, content
	buffers  [][]byte
	original [][]byte // all frames, to pass it on as it came
}

type header struct {
	ID       string `json:"msg_id"`
	Type     string `json:"msg_type"`
	Session  string `json:"session"`
	Username string `json:"username"`
	Version  string `json:"version"`
	Date     string `json:"date"`
}

const delimiter = "<IDS|MSG>"

var errMessage = errors.New("not a message of Jupyter's")

func parseMessage(frames [][]byte) (*message, error) {
	for i, f := range frames {
		if string(f) != delimiter {
			continue
		}
		if len(frames) < i+6 {
			return nil, errMessage
		}
		m := &message{to: frames[:i], raw: [4][]byte(frames[i+2 : i+6]), buffers: frames[i+6:], original: frames}
		if err := json.Unmarshal(m.raw[0], &m.header); err != nil {
			return nil, fmt.Errorf("%w: %w", errMessage, err)
		}
		if err := json.Unmarshal(m.raw[1], &m.parent); err != nil {
			return nil, fmt.Errorf("%w: %w", errMessage, err)
		}
		return m, nil
	}
	return nil, errMessage
}

// authentic reports whether a message was signed with the key.
func (m *message) authentic(key []byte) bool {
	if len(key) == 0 {
		return true
	}
	return hmac.Equal(m.original[len(m.to)+1], signature(key, m.raw))
}

func signature(key []byte, parts [4][]byte) []byte {
	if len(key) == 0 {
		return nil
	}
	mac := hmac.New(sha256.New, key)
	for _, p := range parts {
		mac.Write(p)
	}
	return []byte(hex.EncodeToString(mac.Sum(nil)))
}

// with returns the frames of a message with another content.
func (m *message) with(key []byte, content any) ([][]byte, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	raw := m.raw
	raw[3] = body
	return frames(key, m.to, raw, m.buffers), nil
}

// answer returns the frames of a new message whose parent is m.
func (m *message) answer(key []byte, to [][]byte, msgType string, content any) ([][]byte, error) {
	body, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	head, err := json.Marshal(header{
		ID: fmt.Sprintf("latent-%d", serial.Add(1)), Type: msgType, Session: m.header.Session, Username: m.header.Username,
		Version: "5.3", Date: time.Now().UTC().Format(time.RFC3339Nano)})
	if err != nil {
		return nil, err
	}
	return frames(key, to, [4][]byte{head, m.raw[0], []byte("{}"), body}, nil), nil
}

func frames(key []byte, to [][]byte, raw [4][]byte, buffers [][]byte) [][]byte {
	all := append([][]byte{}, to...)
	all = append(all, []byte(delimiter), signature(key, raw))
	all = append(all, raw[:]...)
	return append(all, buffers...)
}
