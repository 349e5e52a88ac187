package plotting

import (
	"fmt"
	"html"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/golatent/latent/pkg/ml"
)

// PassageFigure is a piece of text as it stands, in letters of one width, made by Passage.
type PassageFigure struct {
	text       string
	title, alt string
	columns    int
	values     []float64
	err        error
}

// Passage shows a text line by line, longer lines broken at a space so that they have at most 96
// letters.
func Passage(text string) *PassageFigure { return &PassageFigure{text: text, columns: 96} }

// Columns breaks lines at another number of letters.
func (f *PassageFigure) Columns(n int) *PassageFigure { f.columns = max(n, 1); return f }

// Title is a line above the text.
func (f *PassageFigure) Title(s string) *PassageFigure { f.title = s; return f }

// Alt sets the description; without it, one is made of the beginning of the text.
func (f *PassageFigure) Alt(s string) *PassageFigure { f.alt = s; return f }

// Values lays a color behind each letter: orange where its value is above 0, blue where it is
// below, stronger the farther it is from 0, and a bar below the letter for the positive ones, so
// that color is not alone. There is one value a letter, line breaks included; the farthest from 0
// has the full color.
func (f *PassageFigure) Values(v []float64) *PassageFigure {
	f.values = append([]float64{}, v...)
	if n := utf8.RuneCountInString(f.text); n != len(v) {
		f.err = ml.BadShape("plotting.Passage.Values", "there are %d values for %d letters", len(v), n)
	}
	for i, x := range v {
		if x-x != 0 {
			f.err = ml.NotFinite("plotting.Passage.Values", "value %d is %v", i, x)
		}
	}
	return f
}

const (
	letterWidth, lineHeight = 7.8, 17.0 // CSS pixels, at a size of 13
	passageMargin           = 6.0
)

// Render draws the text.
func (f *PassageFigure) Render() (Rendering, error) {
	if f.err != nil {
		return Rendering{}, f.err
	}
	if f.text == "" {
		return Rendering{}, ml.Empty("plotting.Passage", "the text is empty")
	}
	most := 0.0
	for _, v := range f.values {
		most = max(most, math.Abs(v))
	}
	var b strings.Builder
	row, widest, start := 0, 1, 0 // start is the letter at which the line begins
	top := passageMargin
	if f.title != "" {
		top += lineHeight + 4
		widest = utf8.RuneCountInString(f.title)
	}
	for line := range strings.SplitSeq(f.text, "\n") {
		letters := []rune(line)
		for {
			part := letters[:f.fits(letters)]
			y := top + lineHeight*float64(row)
			for k := range part {
				if len(f.values) == 0 || most == 0 {
					break
				}
				f.shade(&b, passageMargin+letterWidth*float64(k), y, f.values[start+k]/most)
			}
			if text := string(part); strings.TrimSpace(text) != "" {
				fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs" xml:space="preserve">%s</text>`+"\n", passageMargin, y+0.75*lineHeight,
					letterWidth*float64(len(part)), html.EscapeString(text))
			}
			widest, row, start, letters = max(widest, len(part)), row+1, start+len(part), letters[len(part):]
			if len(letters) == 0 {
				break
			}
		}
		start++ // the line break
	}
	w, h := int(2*passageMargin+letterWidth*float64(widest)+0.5), int(top+lineHeight*float64(row)+passageMargin+0.5)
	title := ""
	if f.title != "" {
		title = fmt.Sprintf(`<text x="%.1f" y="%.1f" font-family="Arial,Helvetica,sans-serif" font-weight="bold">%s</text>`+"\n", passageMargin, passageMargin+0.75*lineHeight, html.EscapeString(f.title))
	}
	alt := f.alt
	if alt == "" {
		words := strings.Fields(f.text)
		alt = "A text that begins: " + strings.Join(words[:min(len(words), 12)], " ")
		if f.title != "" {
			alt = f.title + ". " + alt
		}
	}
	svg := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" style="max-width:100%%;height:auto" fill="currentColor" font-size="13" `+
		`font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"><title>%s</title>`+"\n%s%s</svg>\n", w, h, w, h, html.EscapeString(alt), title, b.String())
	return Rendering{MIME: "image/svg+xml", Data: []byte(svg), Alt: alt, Width: w, Height: h}, nil
}

// fits is how many letters go on a line: all, or those up to the last space that has room, or as
// many as have room.
func (f *PassageFigure) fits(letters []rune) int {
	if len(letters) <= f.columns {
		return len(letters)
	}
	for n := f.columns; n > 0; n-- {
		if letters[n-1] == ' ' {
			return n
		}
	}
	return f.columns
}

// shade lays the color of a value from −1 to 1 behind a letter. What is faint is left out.
func (f *PassageFigure) shade(b *strings.Builder, x, y, value float64) {
	opacity := 0.75 * math.Abs(value)
	if opacity < 0.04 {
		return
	}
	c := classColors[0]
	if value > 0 {
		c = classColors[1]
	}
	hex := fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
	fmt.Fprintf(b, `<path d="M%.1f %.1fh%.1fv%.0fh-%.1fz" fill="%s" fill-opacity="%.2f"/>`, x, y, letterWidth, lineHeight-1, letterWidth, hex, opacity)
	if value > 0.25 {
		fmt.Fprintf(b, `<path d="M%.1f %.1fh%.1fv1.5h-%.1fz" fill="%s"/>`, x, y+lineHeight-2.5, letterWidth, letterWidth, hex)
	}
	b.WriteByte('\n')
}
