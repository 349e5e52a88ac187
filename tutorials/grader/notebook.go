package grader

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Notebook is what the grader reads of a notebook's file.
type Notebook struct {
	Cells []Cell `json:"cells"`
}

// Cell is a cell of a notebook.
type Cell struct {
	Type     string `json:"cell_type"`
	Source   Text   `json:"source"`
	Metadata struct {
		Role *Role `json:"nbgrader"`
	} `json:"metadata"`
}

// Role is what nbgrader keeps about a cell.
type Role struct {
	ID       string  `json:"grade_id"`
	Grade    bool    `json:"grade"`
	Solution bool    `json:"solution"`
	Locked   bool    `json:"locked"`
	Points   float64 `json:"points"`
}

// Text is a string that Jupyter may store as a list of lines.
type Text string

func (t *Text) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = Text(one)
		return nil
	}
	var lines []string
	if err := json.Unmarshal(b, &lines); err != nil {
		return err
	}
	*t = Text(strings.Join(lines, ""))
	return nil
}

// Set replaces the text.
func (t *Text) Set(s string) { *t = Text(s) }

// Parse reads a notebook's file.
func Parse(file []byte) (*Notebook, error) {
	var nb Notebook
	if err := json.Unmarshal(file, &nb); err != nil {
		return nil, fmt.Errorf("not a notebook: %w", err)
	}
	return &nb, nil
}

// code is the Go of a cell that declares something: magics are blanked, and so is all from %% on,
// which is a main program. Lines keep their numbers.
func code(source string) string {
	lines := strings.Split(strings.ReplaceAll(source, "\r\n", "\n"), "\n")
	rest := false
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		first, _, _ := strings.Cut(trimmed, " ")
		if first == "%%" || first == "%main" {
			rest = true
		}
		if rest || strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!") {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

// Release is a cell as students get it: the solution's lines replaced by the stub.
func Release(source string) string {
	var out []string
	in := false
	for line := range strings.SplitSeq(source, "\n") {
		switch {
		case strings.Contains(line, "BEGIN SOLUTION"):
			in = true
			out = append(out, line[:len(line)-len(strings.TrimLeft(line, " \t"))]+`panic("not written yet")`)
		case strings.Contains(line, "END SOLUTION"):
			in = false
		case !in:
			out = append(out, line)
		}
	}
	return strings.Join(out, "\n")
}
