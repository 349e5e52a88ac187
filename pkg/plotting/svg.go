package plotting

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/png"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// Ink is the color of axes and text: currentColor in the SVG, so that one picture serves a light and a dark page. As a color
// for a raster it is a grey that both can bear.
var Ink color.Color = color.NRGBA{0x7e, 0x7f, 0x80, 0xff}

// svgCanvas is a vg.Canvas that writes small SVG. It differs from gonum's in what a notebook needs: currentColor, text as text, coordinates
// of two decimals, and shapes of one style merged into one path, which makes a scatter a tenth of the size.
// Units are CSS pixels, one for each vg point.
type svgCanvas struct {
	w, h   float64
	body   strings.Builder
	path   strings.Builder // shapes of pathStyle not yet written
	style  string
	states []svgState
}

type svgState struct {
	color     color.Color
	lineWidth float64
	dashes    []vg.Length
	offset    vg.Length
	m         [6]float64 // x' = m0 x + m2 y + m4, y' = m1 x + m3 y + m5, y upwards
}

var _ vg.CanvasSizer = (*svgCanvas)(nil)

func newSVG(w, h float64) *svgCanvas {
	return &svgCanvas{w: w, h: h, states: []svgState{{color: Ink, lineWidth: 1, m: [6]float64{1, 0, 0, 1, 0, 0}}}}
}

func (c *svgCanvas) top() *svgState                         { return &c.states[len(c.states)-1] }
func (c *svgCanvas) Size() (x, y vg.Length)                 { return vg.Length(c.w), vg.Length(c.h) }
func (c *svgCanvas) SetLineWidth(w vg.Length)               { c.top().lineWidth = float64(w) }
func (c *svgCanvas) SetColor(col color.Color)               { c.top().color = col }
func (c *svgCanvas) Push()                                  { c.states = append(c.states, *c.top()) }
func (c *svgCanvas) Pop()                                   { c.states = c.states[:len(c.states)-1] }
func (c *svgCanvas) SetLineDash(d []vg.Length, o vg.Length) { c.top().dashes, c.top().offset = d, o }

func (c *svgCanvas) Rotate(t float64) {
	s, co := math.Sincos(t)
	c.apply([6]float64{co, s, -s, co, 0, 0})
}
func (c *svgCanvas) Translate(p vg.Point) {
	c.apply([6]float64{1, 0, 0, 1, float64(p.X), float64(p.Y)})
}
func (c *svgCanvas) Scale(x, y float64) { c.apply([6]float64{x, 0, 0, y, 0, 0}) }
func (c *svgCanvas) apply(n [6]float64) {
	m := c.top().m
	c.top().m = [6]float64{
		m[0]*n[0] + m[2]*n[1], m[1]*n[0] + m[3]*n[1],
		m[0]*n[2] + m[2]*n[3], m[1]*n[2] + m[3]*n[3],
		m[0]*n[4] + m[2]*n[5] + m[4], m[1]*n[4] + m[3]*n[5] + m[5],
	}
}

// at maps a point to the picture, whose y runs downwards.
func (c *svgCanvas) at(p vg.Point) (x, y float64) {
	m := &c.top().m
	return m[0]*float64(p.X) + m[2]*float64(p.Y) + m[4], c.h - (m[1]*float64(p.X) + m[3]*float64(p.Y) + m[5])
}

// num writes a coordinate with at most two decimals and no needless zero.
func num(x float64) string {
	s := strconv.FormatFloat(x, 'f', 2, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" || s == "" {
		return "0"
	}
	return s
}

func svgColor(c color.Color, property string) string {
	if c == Ink {
		return fmt.Sprintf(`%s="currentColor"`, property)
	}
	n := color.NRGBAModel.Convert(c).(color.NRGBA)
	s := fmt.Sprintf(`%s="#%02x%02x%02x"`, property, n.R, n.G, n.B)
	if n.A != 255 {
		s += fmt.Sprintf(` %s-opacity="%s"`, property, num(float64(n.A)/255))
	}
	return s
}

func (c *svgCanvas) Fill(p vg.Path) {
	c.shape(svgColor(c.top().color, "fill"), p)
}

func (c *svgCanvas) Stroke(p vg.Path) {
	s := c.top()
	if s.lineWidth <= 0 {
		return
	}
	style := `fill="none" ` + svgColor(s.color, "stroke")
	if s.lineWidth != 1 {
		style += fmt.Sprintf(` stroke-width="%s"`, num(s.lineWidth))
	}
	if len(s.dashes) > 0 {
		var d []string
		for _, l := range s.dashes {
			d = append(d, num(float64(l)))
		}
		style += fmt.Sprintf(` stroke-dasharray="%s"`, strings.Join(d, " "))
	}
	c.shape(style, p)
}

// shape adds a path to those of the same style. Translucent shapes stay apart: where two overlap, it shows.
func (c *svgCanvas) shape(style string, p vg.Path) {
	if style != c.style || strings.Contains(style, "opacity") {
		c.flush()
		c.style = style
	}
	c.writePath(p)
}

func (c *svgCanvas) writePath(p vg.Path) {
	w := &c.path
	for _, e := range p {
		switch e.Type {
		case vg.MoveComp, vg.LineComp:
			x, y := c.at(e.Pos)
			op := byte('M')
			if e.Type == vg.LineComp {
				op = 'L'
			}
			w.WriteByte(op)
			w.WriteString(num(x) + " " + num(y))
		case vg.CurveComp:
			op := byte('C')
			if len(e.Control) == 1 {
				op = 'Q'
			}
			w.WriteByte(op)
			for _, q := range append(append([]vg.Point{}, e.Control...), e.Pos) {
				x, y := c.at(q)
				w.WriteString(num(x) + " " + num(y) + " ")
			}
		case vg.ArcComp:
			c.writeArc(e)
		case vg.CloseComp:
			w.WriteByte('Z')
		}
	}
}

// writeArc writes an arc of a circle; a full turn is two half turns, since SVG has no arc that ends where it begins.
func (c *svgCanvas) writeArc(e vg.PathComp) {
	w := &c.path
	r := float64(e.Radius) * math.Hypot(c.top().m[0], c.top().m[1])
	point := func(angle float64) (float64, float64) {
		s, co := math.Sincos(angle)
		return c.at(vg.Point{X: e.Pos.X + vg.Length(co)*e.Radius, Y: e.Pos.Y + vg.Length(s)*e.Radius})
	}
	if math.Abs(e.Angle) >= 2*math.Pi-1e-9 {
		x, y := point(e.Start)
		x2, y2 := point(e.Start + math.Pi)
		fmt.Fprintf(w, "M%s %sa%s %s 0 1 0 %s %sa%s %s 0 1 0 %s %s", num(x), num(y), num(r), num(r), num(x2-x), num(y2-y), num(r), num(r), num(x-x2), num(y-y2))
		return
	}
	x, y := point(e.Start)
	x2, y2 := point(e.Start + e.Angle)
	large, sweep := 0, 0
	if math.Abs(e.Angle) > math.Pi {
		large = 1
	}
	if e.Angle < 0 {
		sweep = 1
	}
	op := "L"
	if c.path.Len() == 0 {
		op = "M"
	}
	fmt.Fprintf(w, "%s%s %sA%s %s 0 %d %d %s %s", op, num(x), num(y), num(r), num(r), large, sweep, num(x2), num(y2))
}

func (c *svgCanvas) flush() {
	if c.path.Len() > 0 {
		fmt.Fprintf(&c.body, `<path %s d="%s"/>`, c.style, c.path.String())
		c.body.WriteByte('\n')
		c.path.Reset()
	}
	c.style = ""
}

func (c *svgCanvas) FillString(f font.Face, p vg.Point, text string) {
	c.flush()
	if strings.TrimSpace(text) == "" {
		return
	}
	x, y := c.at(p)
	m := &c.top().m
	rotate := ""
	if angle := -math.Atan2(m[1], m[0]) * 180 / math.Pi; math.Abs(angle) > 1e-6 {
		rotate = fmt.Sprintf(` transform="rotate(%s %s %s)"`, num(angle), num(x), num(y))
	}
	weight := ""
	if f.Font.Weight > 0 {
		weight = ` font-weight="bold"`
	}
	// textLength keeps the width that the layout counted on, whatever sans-serif the page has.
	fmt.Fprintf(&c.body, `<text x="%s" y="%s" font-size="%s"%s %s textLength="%s" lengthAdjust="spacingAndGlyphs"%s>%s</text>`, num(x), num(y),
		num(float64(f.Font.Size)), weight, svgColor(c.top().color, "fill"), num(float64(f.Width(text))), rotate, html.EscapeString(text))
	c.body.WriteByte('\n')
}

// DrawImage embeds a raster; it is shown with its pixels, not smoothed, so a small matrix may be one pixel a value.
func (c *svgCanvas) DrawImage(r vg.Rectangle, img image.Image) {
	c.flush()
	var b bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestCompression}
	if enc.Encode(&b, img) != nil {
		return // an image without pixels
	}
	x0, y1 := c.at(r.Min)
	x1, y0 := c.at(r.Max)
	smooth := ""
	if float64(img.Bounds().Dx()) < (x1-x0)*1.5 {
		smooth = ` style="image-rendering:pixelated"`
	}
	fmt.Fprintf(&c.body, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none"%s href="data:image/png;base64,%s"/>`,
		num(x0), num(y0), num(x1-x0), num(y1-y0), smooth, base64.StdEncoding.EncodeToString(b.Bytes()))
	c.body.WriteByte('\n')
}

// finish returns the document.
func (c *svgCanvas) finish(alt string) []byte {
	c.flush()
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-label="%s" font-family="sans-serif" style="max-width:100%%">`+"\n",
		num(c.w), num(c.h), num(c.w), num(c.h), html.EscapeString(alt))
	b.WriteString(c.body.String())
	b.WriteString("</svg>\n")
	return b.Bytes()
}
