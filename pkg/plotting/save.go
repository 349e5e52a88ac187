package plotting

import (
	"fmt"
	"html"
	"os"
	"path/filepath"
	"strings"

	"github.com/golatent/latent/pkg/ml"
)

// Save writes a figure to a file whose name ends in .svg, .png or .html. The file appears whole or
// not at all. A PNG has two pixels to a CSS pixel and no background; a film can only be .html.
func Save(f Figure, name string) error {
	if f == nil {
		return fmt.Errorf("plotting.Save: the figure is nil: %w", ml.ErrEmpty)
	}
	data, err := encode(f, strings.ToLower(filepath.Ext(name)))
	if err != nil {
		return fmt.Errorf("plotting.Save %s: %w", name, err)
	}
	if err := writeWhole(name, data); err != nil {
		return fmt.Errorf("plotting.Save: %w", err)
	}
	return nil
}

func encode(f Figure, kind string) ([]byte, error) {
	if kind == ".png" {
		r, err := pixels(f)
		return r.Data, err
	}
	r, err := f.Render()
	if err != nil {
		return nil, err
	}
	switch {
	case kind == ".svg" && r.MIME == "image/svg+xml":
		// A file of its own has no page to take a color from.
		return []byte(strings.Replace(string(r.Data), `style="`, `style="color-scheme:light dark;color:CanvasText;`, 1)), nil
	case kind == ".html":
		return []byte(`<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>` +
			html.EscapeString(r.Alt) + "</title><body>" + r.HTML() + "</body></html>\n"), nil
	case kind == ".svg":
		return nil, fmt.Errorf("the figure is %s, which can't be SVG: save it as .html: %w", r.MIME, ml.ErrParameter)
	default:
		return nil, ml.BadParameter("plotting.Save", "the ending", fmt.Sprintf("%q", kind), ".svg, .png or .html")
	}
}

// pixels draws a figure as PNG.
func pixels(f Figure) (r Rendering, err error) {
	defer guard(&err)
	switch f := f.(type) {
	case *Plot:
		g, err := f.page()
		if err != nil {
			return r, err
		}
		return renderPNG(g)
	case *GridFigure:
		g, err := f.settle()
		if err != nil {
			return r, err
		}
		return renderPNG(g)
	}
	if r, err = f.Render(); err == nil && r.MIME != "image/png" {
		err = fmt.Errorf("the figure is %s, which can't be PNG: save it as .html: %w", r.MIME, ml.ErrParameter)
	}
	return r, err
}

// writeWhole writes beside the file and renames, so that a reader never sees half of it.
func writeWhole(name string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(name), ".figure-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // nothing is left of it once renamed
	if _, err := tmp.Write(data); err != nil {
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
	return os.Rename(tmp.Name(), name)
}
