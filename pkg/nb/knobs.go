package nb

import (
	"context"
	"fmt"
	"html"
	"os"
	"strconv"
	"time"

	"github.com/golatent/latent/internal/figure"
	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/widgets"
)

// Slider shows figures under a slider, one at a time. All are drawn now, so that the slider needs no kernel: it works in the
// saved notebook and on a static page. labels name the positions; nil means 1, 2, …
func Slider(label string, labels []string, figures ...Figure) {
	knob(figure.Slider, label, labels, figures)
}

// Select shows figures under a menu, as Slider does.
func Select(label string, labels []string, figures ...Figure) {
	knob(figure.Select, label, labels, figures)
}

// Buttons shows figures under a row of buttons, as Slider does.
func Buttons(label string, labels []string, figures ...Figure) {
	knob(figure.Buttons, label, labels, figures)
}

func knob(c figure.Control, label string, labels []string, figures []Figure) {
	frames := make([]figure.Rendering, len(figures))
	for i, f := range figures {
		frames[i] = render(f)
	}
	r, err := figure.Player(frames, labels, figure.PlayerOptions{Control: c, Label: label})
	if err != nil {
		fail(err)
		return
	}
	display(r.Alt, r.HTML(), "")
}

// liveIdle ends a live knob that nobody touches, so that "Run All" does not wait for ever.
const liveIdle = 2 * time.Minute

// browserWait is how long a live knob waits for a browser to answer. A notebook that is executed without one goes on after that.
const browserWait = 10 * time.Second

// LiveSlider shows the figure that draw makes of a value between lo and hi, and draws it again in the running cell whenever the reader moves
// the slider. The cell runs until its Done button is pressed, the cell is interrupted, or nothing has been touched for two minutes; the
// figure drawn last stays. Without a browser (when notebooks are executed by a test) it draws the first figure and returns.
func LiveSlider(label string, lo, hi, value int, draw func(value int) Figure) {
	if lo > hi || value < lo || value > hi {
		stop(fmt.Sprintf("error: nb.LiveSlider: want lo ≤ value ≤ hi, got lo = %d, value = %d, hi = %d", lo, value, hi))
		return
	}
	live(label, strconv.Itoa, func(id string) <-chan int {
		return widgets.Slider(lo, hi, value).AppendTo(id).Done().Listen().C
	}, value, draw)
}

// LiveSelect is LiveSlider with a menu; draw is called with the index of the choice.
func LiveSelect(label string, choices []string, draw func(choice int) Figure) {
	if len(choices) == 0 {
		stop("error: nb.LiveSelect: no choices")
		return
	}
	live(label, func(v int) string { return choices[v] }, func(id string) <-chan int {
		return widgets.Select(choices).AppendTo(id).Done().Listen().C
	}, 0, draw)
}

// LiveButton is LiveSlider with a button: draw is called with the number of times it was pressed, 0 first.
func LiveButton(label string, draw func(presses int) Figure) {
	live(label, strconv.Itoa, func(id string) <-chan int {
		return widgets.Button(html.EscapeString(label)).AppendTo(id).Done().Listen().C
	}, 0, draw)
}

func live(label string, say func(int) string, control func(id string) <-chan int, value int, draw func(int) Figure) {
	picture := fmt.Sprintf("latent-live-%d-%d", os.Getpid(), time.Now().UnixNano())
	show := func(v int) {
		r := render(draw(v))
		display(r.Alt, r.HTML(), picture)
		value = v
	}
	show(value)
	if !gonbui.IsNotebook || os.Getenv("LATENT_BATCH") != "" {
		return
	}
	ctx := Context()
	id := picture + "-control"
	knob := func(inner string) {
		display(label+": "+say(value), fmt.Sprintf(`<div id="%s" style="display:flex;gap:.8em;align-items:center;font:13px sans-serif"><span>%s</span>%s</div>`,
			id, html.EscapeString(label), inner), id)
	}
	knob("")
	// What is left in the notebook is the value, not a knob that answers no more.
	defer func() { knob(html.EscapeString(say(value))) }()
	type channels struct{ values, done <-chan int }
	connected := make(chan channels, 1)
	go func() { // widgets wait for the browser without end
		// The channels are never closed: a value that arrives for an address without listeners locks gonb's comms up.
		values := control(id)
		connected <- channels{values, widgets.Button("Done").AppendTo(id).Done().Listen().C}
	}()
	select {
	case c := <-connected:
		serve(ctx, c.values, c.done, value, show)
	case <-ctx.Done():
	case <-time.After(browserWait):
	}
}

// serve draws the newest value until done, cancelled or idle. Values that came while a figure was drawn are skipped but for the last.
func serve(ctx context.Context, values, done <-chan int, shown int, show func(int)) {
	idle := time.NewTimer(liveIdle)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-idle.C:
			return
		case <-done:
			return
		case v, ok := <-values:
			for more := ok; more; {
				select {
				case next, open := <-values:
					if v, more = next, open; !open {
						return
					}
				default:
					more = false
				}
			}
			if !ok {
				return
			}
			if v != shown {
				show(v)
				shown = v
			}
			idle.Reset(liveIdle)
		}
	}
}
