package plotting

import (
	"math"

	"golang.org/x/image/font"

	"gonum.org/v1/plot"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// textHandler measures text by gonum's Liberation Sans, whose widths are Arial's, and leaves its
// drawing to the browser in SVG, with an anchor rather than a measured offset, so that a centered
// label stays centered in another font.
type textHandler struct{ text.Plain }

func (h textHandler) Draw(c vg.Canvas, txt string, sty text.Style, p vg.Point) {
	for {
		if d, ok := c.(*draw.Canvas); ok {
			c = d.Canvas
		} else if d, ok := c.(draw.Canvas); ok {
			c = d.Canvas
		} else {
			break
		}
	}
	s, ok := c.(*svgCanvas)
	if !ok {
		h.Plain.Draw(c, txt, sty, p)
		return
	}
	s.SetColor(sty.Color)
	sin, cos := math.Sincos(sty.Rotation)
	anchor := map[text.XAlignment]string{text.XLeft: "start", text.XCenter: "middle", text.XRight: "end"}[sty.XAlign]
	lines := h.Lines(txt)
	// The same baselines as Plain.Draw, in coordinates turned with the text.
	top := float64(sty.Height(txt))*float64(sty.YAlign) - float64(sty.FontExtents().Ascent)
	for i, line := range lines {
		down := top + float64(len(lines)-i)*float64(sty.Font.Size)
		if line != "" {
			s.text(point(float64(p.X)-down*sin, float64(p.Y)+down*cos), line, float64(sty.Font.Size), anchor, sty.Rotation, sty.Font.Weight == font.WeightBold)
		}
	}
}

// style is text of a size, in the page's color. The fonts that gonum embeds are parsed at the first
// use, not when a program starts.
func style(size float64, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{
		Color:   Ink,
		Font:    plotfont.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Length(size)},
		XAlign:  x,
		YAlign:  y,
		Handler: textHandler{text.Plain{Fonts: plotfont.DefaultCache}},
	}
}

func bold(s text.Style) text.Style {
	s.Font.Weight = font.WeightBold
	return s
}

// write draws text with its vertical middle at y for YCenter, its top for YTop, its baseline's
// descent for YBottom.
func write(s surface, sty text.Style, x, y float64, txt string) {
	d := draw.Canvas{Canvas: s}
	descent := float64(sty.FontExtents().Descent)
	// gonum's alignment leaves the descent out.
	sin, cos := math.Sincos(sty.Rotation)
	d.FillText(sty, point(x-descent*sin, y+descent*cos), txt)
}

// textWidth is the room to leave for text. A browser without Arial takes a wider font, on many a
// Linux DejaVu Sans, and its letters must not be cut off.
func textWidth(sty text.Style, txt string) float64 { return 1.15 * float64(sty.Width(txt)) }

var _ plot.Plotter = (*stack)(nil)
