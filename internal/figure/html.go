package figure

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"html"
	"regexp"
	"strings"
)

// HTML returns the rendering as an element that can stand in a page: an SVG inline, so that its
// currentColor is the page's (an SVG behind <img> is black on every theme), a PNG as an image with
// its data inside.
func (r Rendering) HTML() string {
	switch r.MIME {
	case "image/svg+xml":
		return inlineSVG(string(r.Data))
	case "image/png":
		return fmt.Sprintf(`<img width="%d" height="%d" alt="%s" src="data:image/png;base64,%s">`,
			r.Width, r.Height, html.EscapeString(r.Alt), base64.StdEncoding.EncodeToString(r.Data))
	default:
		return string(r.Data)
	}
}

var (
	svgProlog = regexp.MustCompile(`(?s)^.*?(<svg\b)`)
	svgID     = regexp.MustCompile(`(\bid="|\burl\(#|\bhref="#|\baria-labelledby=")([A-Za-z][\w.-]*)`)
)

// inlineSVG drops what stands before the <svg> element and makes ids unique by a prefix taken from
// the content: inline pictures share one space of ids with the whole page, and a random prefix
// would change a notebook at every execution.
func inlineSVG(svg string) string {
	svg = svgProlog.ReplaceAllString(svg, "$1")
	sum := sha256.Sum256([]byte(svg))
	return svgID.ReplaceAllString(svg, "${1}f"+hex.EncodeToString(sum[:4])+"-$2")
}

// Control is what a reader turns to see another frame of a Player.
type Control string

// The controls of a Player.
const (
	Slider  Control = "slider"
	Select  Control = "select"
	Buttons Control = "buttons"
	Play    Control = "play" // a slider with a button that runs through the frames
)

// PlayerOptions says how a Player looks and moves.
type PlayerOptions struct {
	Control Control // "" means Slider
	Label   string  // what the control changes, such as "K"
	Start   int     // the frame shown first
	Millis  int     // time of a frame for Play; 0 means 400
	Alt     string  // "" means one made from the label and the first and last frames' own
}

// Player lays frames over each other under a control: one element of plain HTML that needs neither
// the kernel nor the network, so that it works in a saved notebook and on a static page. labels
// name the frames, one each; nil means 1, 2, …
func Player(frames []Rendering, labels []string, o PlayerOptions) (Rendering, error) {
	if len(frames) == 0 {
		return Rendering{}, fmt.Errorf("figure.Player: no frames")
	}
	if labels == nil {
		for i := range frames {
			labels = append(labels, fmt.Sprint(i+1))
		}
	}
	if len(labels) != len(frames) {
		return Rendering{}, fmt.Errorf("figure.Player: %d labels for %d frames", len(labels), len(frames))
	}
	if o.Start < 0 || o.Start >= len(frames) {
		return Rendering{}, fmt.Errorf("figure.Player: Start = %d, want 0 ≤ Start < %d", o.Start, len(frames))
	}
	if o.Control == "" {
		o.Control = Slider
	}
	if o.Millis <= 0 {
		o.Millis = 400
	}
	var b strings.Builder
	// Keys pressed here, arrows on the slider, are not JupyterLab's: neither its shortcuts, nor a
	// reason to move the focus to the notebook.
	b.WriteString(`<div class="latent-player" data-lm-suppress-shortcuts="true" onkeydown="event.stopPropagation()" style="display:inline-block">`)
	out := Rendering{MIME: "text/html", Alt: o.Alt}
	for i, f := range frames {
		out.Width, out.Height = max(out.Width, f.Width), max(out.Height, f.Height)
		style := ` style="display:none"`
		if i == o.Start {
			style = ""
		}
		fmt.Fprintf(&b, `<div class="latent-frame"%s>%s</div>`, style, f.HTML())
	}
	if err := control(&b, labels, o); err != nil {
		return Rendering{}, err
	}
	b.WriteString(`</div>`)
	if out.Alt == "" {
		out.Alt = fmt.Sprintf("%d pictures under a %s for %s, from %s (%s) to %s (%s)", len(frames), o.Control, cmp.Or(o.Label, "the frame"),
			labels[0], cmp.Or(frames[0].Alt, "no description"), labels[len(labels)-1], cmp.Or(frames[len(frames)-1].Alt, "no description"))
	}
	out.Data = []byte(b.String())
	return out, nil
}

// The handlers are attributes, not a script: nothing has to be found by id, and several players on
// a page can't disturb each other.
const (
	show = `const p=this.closest('.latent-player'),k=+(this.value??0);p.querySelectorAll('.latent-frame').forEach((f,i)=>f.style.display=i==k?'':'none');` +
		`const o=p.querySelector('output');if(o)o.value=o.dataset.labels.split('\u001f')[k];`
	press = `const p=this.closest('.latent-player');p.querySelectorAll('.latent-frame').forEach((f,i)=>f.style.display=i==%d?'':'none');` +
		`p.querySelectorAll('button').forEach((c,i)=>c.setAttribute('aria-pressed',i==%d));`
	play = `const p=this.closest('.latent-player'),r=p.querySelector('input'),b=this,stop=()=>{clearInterval(p.t);p.t=0;b.textContent='\u25b6';};` +
		`if(p.t){stop();}else{if(+r.value>=+r.max)r.value=-1;b.textContent='\u23f8';const step=()=>{if(!document.contains(p)||+r.value>=+r.max){stop();return;}` +
		`r.value=+r.value+1;r.dispatchEvent(new Event('input'));};step();p.t=setInterval(step,%d);}`
)

func control(b *strings.Builder, labels []string, o PlayerOptions) error {
	label := html.EscapeString(o.Label)
	style := `style="display:flex;gap:.6em;align-items:center;margin:.3em 0;font:13px sans-serif"`
	switch o.Control {
	case Slider, Play:
		fmt.Fprintf(b, `<div %s>`, style)
		if o.Control == Play {
			fmt.Fprintf(b, `<button type="button" aria-label="play or pause" style="width:2.6em" onclick="%s">▶</button>`, fmt.Sprintf(play, o.Millis))
		}
		fmt.Fprintf(b, `<label style="display:flex;gap:.6em;flex:1">%s<input type="range" min="0" max="%d" value="%d" step="1" style="flex:1" aria-label="%s" oninput="%s"></label>`+
			`<output data-labels="%s" style="min-width:3em">%s</output></div>`,
			label, len(labels)-1, o.Start, cmp.Or(label, "frame"), show, html.EscapeString(strings.Join(labels, "\x1f")), html.EscapeString(labels[o.Start]))
	case Select:
		fmt.Fprintf(b, `<div %s><label>%s <select onchange="%s">`, style, label, show)
		for i, l := range labels {
			selected := ""
			if i == o.Start {
				selected = " selected"
			}
			fmt.Fprintf(b, `<option value="%d"%s>%s</option>`, i, selected, html.EscapeString(l))
		}
		b.WriteString(`</select></label></div>`)
	case Buttons:
		fmt.Fprintf(b, `<div %s>%s`, style, label)
		for i, l := range labels {
			fmt.Fprintf(b, `<button type="button" aria-pressed="%t" onclick="%s">%s</button>`, i == o.Start, fmt.Sprintf(press, i, i), html.EscapeString(l))
		}
		b.WriteString(`</div>`)
	default:
		return fmt.Errorf("figure.Player: Control = %q, want %q, %q, %q or %q", o.Control, Slider, Select, Buttons, Play)
	}
	return nil
}
