package plotting

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/golatent/latent/internal/figure"
)

// Film is a figure that moves: frames under a slider, with a button that plays them. It is plain HTML and needs neither kernel nor network.
type Film struct {
	frames []Figure
	labels []string
	name   string
	alt    string
	millis int
}

// Animation plays figures one after the other.
func Animation(frames ...Figure) *Film { return &Film{frames: frames, name: "step"} }

// Labels names the frames, one each.
func (f *Film) Labels(s ...string) *Film { f.labels = s; return f }

// Name says what changes from frame to frame; "step" if unset.
func (f *Film) Name(s string) *Film { f.name = s; return f }

// Millis sets how long a frame stands; 400 if unset.
func (f *Film) Millis(ms int) *Film { f.millis = ms; return f }

// Alt replaces the description in words.
func (f *Film) Alt(s string) *Film { f.alt = s; return f }

// Render draws all frames.
func (f *Film) Render() (Rendering, error) {
	frames := make([]Rendering, len(f.frames))
	for i, fig := range f.frames {
		r, err := fig.Render()
		if err != nil {
			return Rendering{}, fmt.Errorf("plotting: frame %d: %w", i, err)
		}
		frames[i] = r
	}
	r, err := figure.Player(frames, f.labels, figure.PlayerOptions{Control: figure.Play, Label: f.name, Millis: f.millis, Alt: f.alt})
	if err != nil {
		return Rendering{}, fmt.Errorf("plotting: Animation: %w", err)
	}
	return r, nil
}

// Panels is a page of figures side by side: small multiples.
type Panels struct {
	columns int
	figures []Figure
	alt     string
}

// Grid sets figures side by side, the given number in a row. They must be plots or image grids; for the same range on all, give each the
// same XLim and YLim.
func Grid(columns int, figures ...Figure) *Panels { return &Panels{columns: columns, figures: figures} }

// Alt replaces the description in words.
func (g *Panels) Alt(s string) *Panels { g.alt = s; return g }

var svgHead = regexp.MustCompile(`^<svg xmlns="[^"]*"`)

// Render draws the figures into one SVG.
func (g *Panels) Render() (Rendering, error) {
	if g.columns < 1 || len(g.figures) == 0 {
		return Rendering{}, fmt.Errorf("plotting: Grid: %d figures in %d columns, want at least one of each", len(g.figures), g.columns)
	}
	columns := min(g.columns, len(g.figures))
	var parts []Rendering
	widths, heights := make([]int, columns), make([]int, (len(g.figures)+columns-1)/columns)
	var words []string
	for i, f := range g.figures {
		r, err := f.Render()
		if err != nil {
			return Rendering{}, fmt.Errorf("plotting: Grid: figure %d: %w", i, err)
		}
		if r.MIME != "image/svg+xml" {
			return Rendering{}, fmt.Errorf("plotting: Grid: figure %d is %s, want a plot or an image grid", i, r.MIME)
		}
		parts, words = append(parts, r), append(words, r.Alt)
		widths[i%columns], heights[i/columns] = max(widths[i%columns], r.Width), max(heights[i/columns], r.Height)
	}
	width, height := sum(widths), sum(heights)
	alt := g.alt
	if alt == "" {
		alt = fmt.Sprintf("%d pictures: %s", len(parts), strings.Join(words, " | "))
	}
	c := newSVG(float64(width), float64(height))
	for i, r := range parts {
		x, y := sum(widths[:i%columns]), sum(heights[:i/columns])
		// A nested <svg> has a place in its parent and needs no namespace of its own.
		inner := svgHead.ReplaceAll(r.Data, fmt.Appendf(nil, `<svg x="%d" y="%d"`, x, y))
		c.body.Write(bytes.ReplaceAll(inner, []byte(` role="img"`), []byte(` role="group"`)))
	}
	return Rendering{MIME: "image/svg+xml", Data: c.finish(alt), Alt: alt, Width: width, Height: height}, nil
}

func sum(v []int) (s int) {
	for _, x := range v {
		s += x
	}
	return s
}

// Save writes a figure to a file, in one step: a reader sees the old file or the new one. The name ends in .svg for plots and grids, in .html for anything.
func Save(f Figure, path string) error {
	r, err := f.Render()
	if err != nil {
		return err
	}
	var out []byte
	switch ext := strings.ToLower(filepath.Ext(path)); {
	case ext == ".html":
		out = []byte("<!doctype html>\n<meta charset=\"utf-8\">\n<title>" + r.Alt + "</title>\n" + r.HTML() + "\n")
	case ext == ".svg" && r.MIME == "image/svg+xml":
		out = r.Data
	default:
		return fmt.Errorf("plotting: %q: want a name that ends in .html, or in .svg for a figure that does not move", path)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it is renamed
	if _, err := tmp.Write(out); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
