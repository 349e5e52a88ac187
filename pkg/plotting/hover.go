package plotting

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"html"
	"image"
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/golatent/latent/pkg/ml"
)

// HoverFigure is a figure beside which the reader sees what the point under the pointer is, made by
// Hover. It is plain HTML that needs neither the kernel nor the network, so that it works in a
// saved notebook and on a static page, and for as many points as a figure has.
type HoverFigure struct {
	plot   *Plot
	at     mat.Matrix
	tips   []string
	images mat.Matrix
	h, w   int
}

// Hover shows p, and beside it what the point is that the pointer is near to: its row, or the text
// that Tips gives it, and its image, if Images gives it one. at is n×2, the places of the points in
// the coordinates of p. With the keyboard, arrows go from row to row.
func Hover(p *Plot, at mat.Matrix) *HoverFigure { return &HoverFigure{plot: p, at: at} }

// Tips says of each point what is shown; the default is its row.
func (f *HoverFigure) Tips(s ...string) *HoverFigure { f.tips = append([]string{}, s...); return f }

// Images gives each point an image: the rows of x, height×width numbers each, dark where they are
// large.
func (f *HoverFigure) Images(x mat.Matrix, height, width int) *HoverFigure {
	f.images, f.h, f.w = x, height, width
	return f
}

const hoverName = "plotting.Hover"

// greys are the shades of the images, paper first.
var greys = func() (p color.Palette) {
	const shades = 32
	for k := range shades {
		p = append(p, color.Gray{uint8(255 - 255*k/(shades-1))})
	}
	return p
}()

func (f *HoverFigure) check() (n int, err error) {
	if f.plot == nil {
		return 0, fmt.Errorf("%s: the plot is nil: %w", hoverName, ml.ErrEmpty)
	}
	n, d, err := dims(hoverName, f.at)
	switch {
	case err != nil:
		return n, err
	case d != 2:
		return n, ml.BadShape(hoverName, "the places are %d×%d, want n×2", n, d)
	case f.tips != nil && len(f.tips) != n:
		return n, ml.BadShape(hoverName, "%d tips for %d points", len(f.tips), n)
	}
	if f.images != nil {
		rows, columns, err := dims(hoverName, f.images)
		if err != nil {
			return n, err
		}
		if rows != n || f.h < 1 || f.w < 1 || columns != f.h*f.w {
			return n, ml.BadShape(hoverName, "the images are %d×%d, want n×(height·width) = %d×(%d·%d)", rows, columns, n, f.h, f.w)
		}
	}
	return n, nil
}

// Render draws the figure and what answers the pointer.
func (f *HoverFigure) Render() (r Rendering, err error) {
	defer guard(&err)
	n, err := f.check()
	if err != nil {
		return r, err
	}
	g, err := f.plot.page()
	if err != nil {
		return r, err
	}
	picture, err := renderSVG(g, f.plot.title)
	if err != nil {
		return r, err
	}
	tips := f.tips
	if tips == nil {
		for i := range n {
			tips = append(tips, fmt.Sprintf("row %d", i))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<div class="latent-hover" tabindex="0" data-lm-suppress-shortcuts="true" style="display:inline-flex;flex-wrap:wrap;gap:1em;align-items:center;font:13px sans-serif" `+
		`data-at="%s" data-tips="%s" onpointermove="%s" onpointerdown="%s" onkeydown="%s">`,
		f.places(g, n), html.EscapeString(strings.Join(tips, "\x1f")), hoverMove, hoverMove, hoverKey)
	fmt.Fprintf(&b, `<div style="position:relative;line-height:0">%s<span class="latent-hover-ring" style="display:none;position:absolute;width:13px;height:13px;margin:-8px 0 0 -8px;`+
		`border:2px solid currentColor;border-radius:50%%;pointer-events:none"></span></div><div style="width:10em">`, picture.HTML())
	if f.images != nil {
		b.WriteString(f.sheet(n))
	}
	fmt.Fprintf(&b, `<div class="latent-hover-tip" aria-live="polite" style="margin-top:.5em;min-height:2.6em">Point at a point.</div></div></div>`)
	what := fmt.Sprintf(" Pointing at a point shows which of %d it is", n)
	if f.images != nil {
		what += ", and its image"
	}
	return Rendering{MIME: "text/html", Data: []byte(b.String()), Alt: picture.Alt + what + ".", Width: picture.Width + 180, Height: picture.Height}, nil
}

// places are the positions of the points in the SVG in tenths of a pixel, as numbers of 16 bits;
// who is outside the picture is at its end.
func (f *HoverFigure) places(g *page, n int) string {
	rect := g.stack.rect
	raw := make([]byte, 0, 4*n)
	put := func(v float64) {
		v *= 10
		if !(v >= 0 && v <= math.MaxUint16) {
			v = math.MaxUint16
		}
		raw = binary.LittleEndian.AppendUint16(raw, uint16(math.Round(v)))
	}
	for i := range n {
		put(float64(rect.Min.X) + g.plot.X.Norm(f.at.At(i, 0))*float64(rect.Size().X))
		put(g.height - float64(rect.Min.Y) - g.plot.Y.Norm(f.at.At(i, 1))*float64(rect.Size().Y))
	}
	return base64.StdEncoding.EncodeToString(raw)
}

// sheet holds all images in one, of which a window shows one.
func (f *HoverFigure) sheet(n int) string {
	columns := int(math.Ceil(math.Sqrt(float64(n))))
	rows := (n + columns - 1) / columns
	lo, hi := mat.Min(f.images), mat.Max(f.images)
	sheet := image.NewPaletted(image.Rect(0, 0, columns*f.w, rows*f.h), greys)
	for i := range n {
		for p := range f.h * f.w {
			t := 0.0
			if hi > lo {
				t = (f.images.At(i, p) - lo) / (hi - lo)
			}
			sheet.SetColorIndex(i%columns*f.w+p%f.w, i/columns*f.h+p/f.w, uint8(t*float64(len(greys)-1)+.5))
		}
	}
	zoom := max(1, 112/max(f.h, f.w))
	return fmt.Sprintf(`<div class="latent-hover-image" role="img" aria-label="the image of the point" data-columns="%d" data-w="%d" data-h="%d" style="width:%dpx;height:%dpx;border:1px solid currentColor;`+
		`background:#fff no-repeat 9999px 0/%dpx url(data:image/png;base64,%s);image-rendering:pixelated"></div>`,
		columns, zoom*f.w, zoom*f.h, zoom*f.w, zoom*f.h, zoom*columns*f.w, base64.StdEncoding.EncodeToString(encodePNG(sheet)))
}

// The handlers are attributes, as those of a player are. Tips are joined by U+001F.
const (
	hoverShow = `const show=k=>{h.k=k;const q=h.at,i=h.querySelector('.latent-hover-image'),r=h.querySelector('.latent-hover-ring'),g=h.querySelector('svg').clientWidth/h.querySelector('svg').viewBox.baseVal.width||1;` +
		`h.querySelector('.latent-hover-tip').textContent=h.dataset.tips.split('\u001f')[k];r.style.display='';r.style.left=q[2*k]/10*g+'px';r.style.top=q[2*k+1]/10*g+'px';` +
		`if(i){const c=+i.dataset.columns;i.style.backgroundPosition=-(k%c)*i.dataset.w+'px '+-Math.floor(k/c)*i.dataset.h+'px';}};` +
		`if(!h.at){const t=atob(h.dataset.at);h.at=new Uint16Array(t.length/2);for(let k=0;k&lt;h.at.length;k++)h.at[k]=t.charCodeAt(2*k)+256*t.charCodeAt(2*k+1);}`
	hoverMove = `const h=this;` + hoverShow + `const s=h.querySelector('svg'),b=s.getBoundingClientRect(),g=10*(s.viewBox.baseVal.width||b.width)/b.width,x=(event.clientX-b.left)*g,y=(event.clientY-b.top)*g;` +
		`let n=-1,d=14400;for(let k=0;k&lt;h.at.length/2;k++){const u=h.at[2*k]-x,v=h.at[2*k+1]-y,e=u*u+v*v;if(e&lt;d){d=e;n=k;}}if(n>=0)show(n);`
	hoverKey = `const h=this,a={ArrowRight:1,ArrowDown:1,ArrowLeft:-1,ArrowUp:-1}[event.key];if(a){event.preventDefault();event.stopPropagation();` + hoverShow +
		`const n=h.at.length/2;show(((h.k??(a>0?-1:0))+a+n)%n);}`
)
