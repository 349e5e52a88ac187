package plotting

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// svgCanvas writes SVG by hand rather than by gonum's vgsvg: text stays text, Ink becomes
// currentColor, coordinates have one decimal and are relative where that is shorter, so that a
// thousand points take some 40 kB.
type svgCanvas struct {
	body   bytes.Buffer
	height float64
	state  svgState
	stack  []svgState
}

type svgState struct {
	color color.Color
	width float64
	dash  []vg.Length
	m     [6]float64 // x' = m0 x + m2 y + m4, y' = m1 x + m3 y + m5
}

func newSVG(height float64) *svgCanvas {
	return &svgCanvas{height: height, state: svgState{color: Ink, width: 1, m: [6]float64{1, 0, 0, 1, 0, 0}}}
}

func (s *svgCanvas) SetLineWidth(w vg.Length)               { s.state.width = float64(w) }
func (s *svgCanvas) SetLineDash(d []vg.Length, _ vg.Length) { s.state.dash = d }
func (s *svgCanvas) SetColor(c color.Color) {
	if c == nil || c == color.Black {
		c = Ink
	}
	s.state.color = c
}
func (s *svgCanvas) Push() { s.stack = append(s.stack, s.state) }
func (s *svgCanvas) Pop() {
	s.state = s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
}

func (s *svgCanvas) Rotate(a float64) {
	sin, cos := math.Sincos(a)
	s.multiply([6]float64{cos, sin, -sin, cos, 0, 0})
}
func (s *svgCanvas) Translate(p vg.Point) {
	s.multiply([6]float64{1, 0, 0, 1, float64(p.X), float64(p.Y)})
}
func (s *svgCanvas) Scale(x, y float64) { s.multiply([6]float64{x, 0, 0, y, 0, 0}) }
func (s *svgCanvas) multiply(b [6]float64) {
	a := s.state.m
	s.state.m = [6]float64{
		a[0]*b[0] + a[2]*b[1], a[1]*b[0] + a[3]*b[1],
		a[0]*b[2] + a[2]*b[3], a[1]*b[2] + a[3]*b[3],
		a[0]*b[4] + a[2]*b[5] + a[4], a[1]*b[4] + a[3]*b[5] + a[5],
	}
}

// place returns the position in SVG's coordinates, y downwards, in tenths of a pixel.
func (s *svgCanvas) place(p vg.Point) (x, y int) {
	m, px, py := s.state.m, float64(p.X), float64(p.Y)
	return tenths(m[0]*px + m[2]*py + m[4]), tenths(s.height - (m[1]*px + m[3]*py + m[5]))
}

// tenths rounds, and keeps what lies far outside the picture from becoming a number that a browser
// can't draw.
func tenths(v float64) int {
	if math.IsNaN(v) {
		return 0
	}
	return int(math.Round(10 * min(max(v, -1e5), 1e5)))
}

// number writes a tenth as SVG likes it: no trailing zero, no leading one.
func number(t int) string {
	s := strconv.Itoa(t / 10)
	if t%10 == 0 {
		return s
	}
	frac := strconv.Itoa(max(t%10, -(t % 10)))
	switch {
	case t/10 != 0:
		return s + "." + frac
	case t < 0:
		return "-." + frac
	default:
		return "." + frac
	}
}

// short writes a number with up to two decimals.
func short(v float64) string {
	s := strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64)
	if strings.HasPrefix(s, "0.") {
		return s[1:]
	}
	return s
}

// paint writes a color as an attribute, and its opacity where it has one.
func paint(attribute string, c color.Color) string {
	value, alpha := "currentColor", 1.0
	if i, ok := c.(ink); ok {
		alpha = float64(i.alpha) / 255
	} else {
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		value, alpha = hex(n), float64(n.A)/255
	}
	out := fmt.Sprintf(` %s="%s"`, attribute, value)
	if alpha < 1 {
		out += fmt.Sprintf(` %s-opacity="%s"`, attribute, short(alpha))
	}
	return out
}

func hex(n color.NRGBA) string {
	if n.R%17 == 0 && n.G%17 == 0 && n.B%17 == 0 {
		return fmt.Sprintf("#%x%x%x", n.R/17, n.G/17, n.B/17)
	}
	return fmt.Sprintf("#%02x%02x%02x", n.R, n.G, n.B)
}

func (s *svgCanvas) Stroke(p vg.Path) {
	if s.state.width <= 0 || len(p) == 0 || s.state.color == (ink{}) {
		return
	}
	fmt.Fprintf(&s.body, `<path fill="none"%s`, paint("stroke", s.state.color))
	if s.state.width != 1 {
		fmt.Fprintf(&s.body, ` stroke-width="%s"`, short(s.state.width))
	}
	if len(s.state.dash) > 0 {
		var d []string
		for _, l := range s.state.dash {
			d = append(d, number(tenths(float64(l))))
		}
		fmt.Fprintf(&s.body, ` stroke-dasharray="%s"`, strings.Join(d, " "))
	}
	fmt.Fprintf(&s.body, ` stroke-linejoin="round" d="%s"/>`+"\n", s.data(p))
}

func (s *svgCanvas) Fill(p vg.Path) {
	if len(p) > 0 {
		fmt.Fprintf(&s.body, `<path%s d="%s"/>`+"\n", paint("fill", s.state.color), s.data(p))
	}
}

// data writes a path. Differences are taken between rounded positions, so that errors don't add up.
func (s *svgCanvas) data(p vg.Path) string {
	w := pathWriter{}
	for _, c := range p {
		switch c.Type {
		case vg.MoveComp:
			x, y := s.place(c.Pos)
			w.command('M', x, y)
			w.x, w.y, w.startX, w.startY = x, y, x, y
		case vg.LineComp:
			x, y := s.place(c.Pos)
			if x == w.x && y == w.y && w.last == 'l' {
				continue
			}
			w.command('l', x-w.x, y-w.y)
			w.x, w.y = x, y
		case vg.CurveComp:
			at := []int{}
			for _, q := range append(append([]vg.Point{}, c.Control...), c.Pos) {
				x, y := s.place(q)
				at = append(at, x-w.x, y-w.y)
			}
			w.command(map[int]byte{4: 'q', 6: 'c'}[len(at)], at...)
			w.x, w.y = w.x+at[len(at)-2], w.y+at[len(at)-1]
		case vg.ArcComp:
			// Straight pieces of at most 5° are off by less than a tenth of a pixel for the radii
			// that a figure has.
			n := max(2, int(math.Abs(c.Angle)/(math.Pi/36)))
			for i := range n + 1 {
				sin, cos := math.Sincos(c.Start + c.Angle*float64(i)/float64(n))
				x, y := s.place(vg.Point{X: c.Pos.X + c.Radius*vg.Length(cos), Y: c.Pos.Y + c.Radius*vg.Length(sin)})
				if i == 0 && w.out.Len() == 0 {
					w.command('M', x, y)
					w.startX, w.startY = x, y
				} else {
					w.command('l', x-w.x, y-w.y)
				}
				w.x, w.y = x, y
			}
		case vg.CloseComp:
			w.out.WriteByte('z')
			w.last, w.x, w.y = 'z', w.startX, w.startY
		}
	}
	return w.out.String()
}

type pathWriter struct {
	out            strings.Builder
	last           byte
	x, y           int
	startX, startY int
}

// command writes one command; its letter is left out when it is the one before, and a space where a
// minus sign parts two numbers.
func (w *pathWriter) command(letter byte, values ...int) {
	repeated := letter == w.last && letter != 'M'
	if !repeated {
		w.out.WriteByte(letter)
	}
	w.last = letter
	for i, v := range values {
		if v >= 0 && (i > 0 || repeated) {
			w.out.WriteByte(' ')
		}
		w.out.WriteString(number(v))
	}
}

// FillString draws text from its left end on. The text of figures goes through textHandler, which
// can center; this is for gonum's own plotters.
func (s *svgCanvas) FillString(f font.Face, p vg.Point, txt string) {
	s.text(p, txt, float64(f.Font.Size), "start", 0, false)
}

func (s *svgCanvas) text(p vg.Point, txt string, size float64, anchor string, turn float64, bold bool) {
	x, y := s.place(p)
	fmt.Fprintf(&s.body, `<text x="%s" y="%s"`, number(x), number(y))
	if size != 11 {
		fmt.Fprintf(&s.body, ` font-size="%s"`, short(size))
	}
	if bold {
		s.body.WriteString(` font-weight="bold"`)
	}
	if anchor != "start" {
		fmt.Fprintf(&s.body, ` text-anchor="%s"`, anchor)
	}
	turn += math.Atan2(s.state.m[1], s.state.m[0])
	if degrees := -turn * 180 / math.Pi; math.Abs(degrees) > 0.01 {
		fmt.Fprintf(&s.body, ` transform="rotate(%s %s %s)"`, number(tenths(degrees)), number(x), number(y))
	}
	if s.state.color != Ink {
		s.body.WriteString(paint("fill", s.state.color))
	}
	fmt.Fprintf(&s.body, ">%s</text>\n", escape(txt))
}

// escape makes any string fit to stand in XML.
func escape(txt string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(txt)) // a Builder never fails
	return b.String()
}

func (s *svgCanvas) marks(ms []mark, edged bool) {
	if len(ms) == 0 {
		return
	}
	s.body.WriteString("<g")
	if edged {
		s.body.WriteString(` stroke="currentColor" stroke-opacity=".55" stroke-width=".6"`)
	}
	// What all marks have in common stands on the group.
	_, opacity := split(paint("fill", ms[0].fill))
	for _, m := range ms {
		if _, o := split(paint("fill", m.fill)); o != opacity {
			opacity = ""
			break
		}
	}
	s.body.WriteString(opacity + ">")
	for len(ms) > 0 {
		n := 1 // how many marks at the front are alike
		for n < len(ms) && ms[n].fill == ms[0].fill {
			n++
		}
		fill := paint("fill", ms[0].fill)
		if opacity != "" {
			fill, _ = split(fill)
		}
		if n == 1 {
			s.mark(ms[0], fill)
		} else {
			fmt.Fprintf(&s.body, "<g%s>", fill)
			for _, m := range ms[:n] {
				s.mark(m, "")
			}
			s.body.WriteString("</g>\n")
		}
		ms = ms[n:]
	}
	s.body.WriteString("</g>\n")
}

// split parts a color's attribute from its opacity's.
func split(painted string) (fill, opacity string) {
	if i := strings.Index(painted, " fill-opacity"); i >= 0 {
		return painted[:i], painted[i:]
	}
	return painted, ""
}

func (s *svgCanvas) mark(m mark, attributes string) {
	x, y := s.place(m.at)
	tag := "path"
	if m.shape == circle {
		tag = "circle"
		fmt.Fprintf(&s.body, `<circle cx="%s" cy="%s" r="%s"%s`, number(x), number(y), short(m.r), attributes)
	} else {
		w := pathWriter{}
		for i, c := range corners[m.shape] {
			px, py := x+tenths(c[0]*m.r), y-tenths(c[1]*m.r)
			if i == 0 {
				w.command('M', px, py)
			} else {
				w.command('l', px-w.x, py-w.y)
			}
			w.x, w.y = px, py
		}
		fmt.Fprintf(&s.body, `<path d="%sz"%s`, w.out.String(), attributes)
	}
	if m.tip == "" {
		s.body.WriteString("/>")
	} else {
		fmt.Fprintf(&s.body, "><title>%s</title></%s>", escape(m.tip), tag)
	}
}

func (s *svgCanvas) DrawImage(rect vg.Rectangle, img image.Image) { s.picture(rect, img, true) }

func (s *svgCanvas) picture(rect vg.Rectangle, img image.Image, smooth bool) {
	x0, y1 := s.place(rect.Min)
	x1, y0 := s.place(rect.Max)
	style := ` style="image-rendering:pixelated"`
	if smooth {
		style = ""
	}
	fmt.Fprintf(&s.body, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none"%s href="data:image/png;base64,%s"/>`+"\n",
		number(x0), number(y0), number(x1-x0), number(y1-y0), style, base64.StdEncoding.EncodeToString(encodePNG(img)))
}

// clip opens an <svg> inside the svg, which cuts off what is outside without needing an id.
func (s *svgCanvas) clip(rect vg.Rectangle) surface {
	x0, y1 := s.place(rect.Min)
	x1, y0 := s.place(rect.Max)
	x, y, w, h := number(x0), number(y0), number(x1-x0), number(y1-y0)
	fmt.Fprintf(&s.body, `<svg x="%s" y="%s" width="%s" height="%s" viewBox="%s %s %s %s" overflow="hidden">`+"\n", x, y, w, h, x, y, w, h)
	return s
}

func (s *svgCanvas) unclip(surface) { s.body.WriteString("</svg>\n") }

// document wraps what was drawn. The root's color is left alone, so that currentColor is the
// page's.
func (s *svgCanvas) document(width float64, title, alt string) []byte {
	var b bytes.Buffer
	w, h := number(tenths(width)), number(tenths(s.height))
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" style="max-width:100%%;height:auto" `+
		`fill="currentColor" font-family="Arial,Helvetica,sans-serif" font-size="11">`+"\n", w, h, w, h)
	fmt.Fprintf(&b, "<title>%s</title>\n<desc>%s</desc>\n", escape(title), escape(alt))
	b.Write(s.body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// encodePNG writes a PNG with a palette where 256 colors are enough: much smaller for gray images
// and regions.
func encodePNG(img image.Image) []byte {
	var b bytes.Buffer
	if p := paletted(img); p != nil {
		img = p
	}
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if size := img.Bounds().Size(); size.X*size.Y > 1<<19 {
		encoder.CompressionLevel = png.DefaultCompression // a whole page: ten times the speed for a tenth more bytes
	}
	if err := encoder.Encode(&b, img); err != nil {
		panic(err) // only an image of no or absurd size, which nothing here makes; Render turns it into an error
	}
	return b.Bytes()
}

func paletted(img image.Image) *image.Paletted {
	src, ok := img.(*image.NRGBA)
	if !ok {
		return nil
	}
	index := map[color.NRGBA]uint8{}
	out := image.NewPaletted(src.Rect, nil)
	for i := range out.Pix {
		c := color.NRGBA{src.Pix[4*i], src.Pix[4*i+1], src.Pix[4*i+2], src.Pix[4*i+3]}
		if c.A == 0 {
			c = color.NRGBA{}
		}
		k, ok := index[c]
		if !ok {
			if len(out.Palette) == 256 {
				return nil
			}
			k = uint8(len(out.Palette))
			index[c] = k
			out.Palette = append(out.Palette, c)
		}
		out.Pix[i] = k
	}
	return out
}
