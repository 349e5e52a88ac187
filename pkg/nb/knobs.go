package nb

import (
	"context"
	"fmt"
	"html"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/golatent/latent/internal/figure"
	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/comms"
	"github.com/janpfeifer/gonb/gonbui/dom"
)

// Slider shows figures under a slider, one at a time. All are drawn now, so that the slider needs
// no kernel: it works in the saved notebook and on a static page. labels name the positions; nil
// means 1, 2, …
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

// browserWait is how long a live knob waits for a browser to answer. A notebook that is executed
// without one goes on after that.
const browserWait = 10 * time.Second

// LiveSlider shows the figure that draw makes of a value between lo and hi, and draws it again in
// the running cell whenever the reader moves the slider. The cell runs until its Done button is
// pressed, the cell is interrupted, or nothing has been touched for two minutes; the figure drawn
// last stays. Without a browser (when notebooks are executed by a test) it draws the first figure
// and returns.
func LiveSlider(label string, lo, hi, value int, draw func(value int) Figure) {
	if lo > hi || value < lo || value > hi || hi-lo >= wireRadix-wireValue {
		stop(fmt.Sprintf("error: nb.LiveSlider: want lo ≤ value ≤ hi and hi − lo < %d, got lo = %d, value = %d, hi = %d", wireRadix-wireValue, lo, value, hi))
		return
	}
	control := fmt.Sprintf(`<input type="range" min="%d" max="%d" value="%d" step="1" style="width:20em" aria-label="%s" oninput="this.nextElementSibling.value=this.value;%s"><output style="min-width:3em">%d</output>`,
		lo, hi, value, html.EscapeString(label), sendJS(fmt.Sprintf("+this.value-(%d)", lo)), value)
	live(label, control, value-lo, func(i int) string { return strconv.Itoa(lo + i) }, func(i int) Figure { return draw(lo + i) })
}

// LiveSelect is LiveSlider with a menu; draw is called with the index of the choice.
func LiveSelect(label string, choices []string, draw func(choice int) Figure) {
	if len(choices) == 0 {
		stop("error: nb.LiveSelect: no choices")
		return
	}
	var control strings.Builder
	fmt.Fprintf(&control, `<select aria-label="%s" onchange="%s">`, html.EscapeString(label), sendJS("+this.value"))
	for i, c := range choices {
		fmt.Fprintf(&control, `<option value="%d">%s</option>`, i, html.EscapeString(c))
	}
	control.WriteString(`</select>`)
	live(label, control.String(), 0, func(i int) string { return choices[min(i, len(choices)-1)] }, draw)
}

// LiveButton is LiveSlider with a button: draw is called with the number of times it was pressed, 0
// first.
func LiveButton(label string, draw func(presses int) Figure) {
	control := fmt.Sprintf(`<button type="button" onclick="this.c=(this.c||0)+1;%s">%s</button>`, sendJS("this.c"), html.EscapeString(label))
	live(label, control, 0, strconv.Itoa, draw)
}

// A live knob talks to its cell through gonb's comms by numbers: count·wireRadix + what, where
// count rises with every message, since gonb may hand them over in another order than they were
// sent. gonb's own widgets are not used: their slider did not move in JupyterLab, and their
// channels, once closed, lock comms up at the next message.
const (
	wireRadix = 1 << 20
	wireHello = 0 // the browser is there
	wireDone  = 1
	wireValue = 2 // and above: the knob's value, from 0
)

const liveAddress = "/latent/live/"

// sendJS is a handler's code that sends a value, given as an expression. The knob's element has the
// address as its id.
func sendJS(value string) string {
	return fmt.Sprintf(`const p=this.closest('.latent-live');p.n=(p.n||0)+1;globalThis.gonb_comm?.send('%s'+p.id,p.n*%d+%d+(%s))`, liveAddress, wireRadix, wireValue, value)
}

// inbox sorts out what arrives: the newest message counts, older ones that come late do not.
type inbox struct {
	mu                  sync.Mutex
	newest              int
	hello, values, done chan int
}

func newInbox() *inbox {
	return &inbox{newest: -1, hello: make(chan int, 1), values: make(chan int, 1), done: make(chan int, 1)}
}

func (in *inbox) receive(message int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	count, what := message/wireRadix, message%wireRadix
	switch {
	case message < 0:
	case what == wireHello:
		put(in.hello, 0)
	case what == wireDone:
		put(in.done, 0)
	case count > in.newest:
		in.newest = count
		put(in.values, what-wireValue)
	}
}

// put leaves v in c, a channel of one place, in place of what nobody has taken yet.
func put(c chan int, v int) {
	select {
	case <-c:
	default:
	}
	c <- v
}

func live(label, control string, value int, say func(int) string, draw func(int) Figure) {
	id := fmt.Sprintf("latent-live-%d-%d", os.Getpid(), time.Now().UnixNano())
	show := func(v int) {
		r := render(draw(v))
		display(r.Alt, r.HTML(), id+"-picture")
		value = v
	}
	show(value)
	if !gonbui.IsNotebook || os.Getenv("LATENT_BATCH") != "" {
		return
	}
	ctx, in := Context(), newInbox()
	knob := func(inner string) {
		display(label+": "+say(value), fmt.Sprintf(`<div class="latent-live" id="%s" onkeydown="event.stopPropagation()" style="display:flex;gap:.8em;align-items:center;font:13px sans-serif"><span>%s</span>%s</div>`,
			id, html.EscapeString(label), inner), id+"-control")
	}
	comms.Subscribe(liveAddress+id, func(_ string, message int) { in.receive(message) })
	comms.Start()
	knob(control + `<button type="button" onclick="` + sendJS(strconv.Itoa(wireDone-wireValue)) + `">Done</button>`)
	// What is left in the notebook is the value, not a knob that answers no more.
	defer func() { knob(html.EscapeString(say(value))) }()
	dom.TransientJavascript(fmt.Sprintf("globalThis.gonb_comm?.send('%s%s',%d)", liveAddress, id, wireHello))
	select {
	case <-in.hello:
		serve(ctx, in.values, in.done, value, show)
	case <-ctx.Done():
	case <-time.After(browserWait):
	}
}

// serve draws the newest value until done, cancelled or idle.
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
		case v := <-values:
			if v != shown {
				show(v)
				shown = v
			}
			idle.Reset(liveIdle)
		}
	}
}
