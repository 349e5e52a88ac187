package nb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/figure"
	"github.com/janpfeifer/gonb/gonbui"
)

// cellRun runs f as a cell would be and returns what it displayed, what it wrote to stderr, and its
// exit status (0 if it did not end early).
func cellRun(t *testing.T, f func()) (shown []string, stderr string, status int) {
	t.Helper()
	oldDisplay, oldExit, oldErr := display, exit, os.Stderr
	defer func() { display, exit, os.Stderr = oldDisplay, oldExit, oldErr }()
	display = func(words, htmlText, id string) { shown = append(shown, words+"|"+htmlText) }
	type ended struct{}
	exit = func(code int) { status = code; panic(ended{}) }
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stderr = w
	func() {
		defer func() {
			if p := recover(); p != nil {
				if _, ok := p.(ended); !ok {
					panic(p)
				}
			}
		}()
		f()
	}()
	w.Close()
	text, _ := io.ReadAll(r)
	return shown, string(text), status
}

func TestCheck(t *testing.T) {
	shown, stderr, status := cellRun(t, func() { Check("one is one", true) })
	if len(shown) != 1 || !strings.HasPrefix(shown[0], "✓ one is one") || stderr != "" || status != 0 {
		t.Errorf("%q %q %d", shown, stderr, status)
	}
	shown, stderr, status = cellRun(t, func() { Check("one is <two>", false) })
	if len(shown) != 0 || !strings.Contains(stderr, "✗ one is <two>") || status != 1 {
		t.Errorf("%q %q %d", shown, stderr, status)
	}
	for _, c := range []struct {
		got, want, tol float64
		holds          bool
	}{{1, 1.05, 0.1, true}, {1, 1.2, 0.1, false}, {math.NaN(), 1, 10, false}, {1, math.NaN(), 10, false}, {math.Inf(1), math.Inf(1), 0, true}, {math.Inf(1), 0, 1, false}} {
		if _, _, status := cellRun(t, func() { CheckClose("x", c.got, c.want, c.tol) }); (status == 0) != c.holds {
			t.Errorf("CheckClose(%v, %v, %v): status %d", c.got, c.want, c.tol, status)
		}
	}
}

// What CheckClose prints is the same whatever a processor rounds, and as it is where it fails.
func TestCheckCloseShowsNoRounding(t *testing.T) {
	for _, c := range []struct {
		got, want, tol float64
		says           string
	}{
		{1.483e-11, 0, 1e-6, "0, expected 0 ± 1e-06"},
		{-1e-16, 0, 1e-12, "0, expected 0 ± 1e-12"},
		{11.500000000000002, 11.5, 1e-12, "11.5, expected 11.5 ± 1e-12"},
		{0.5191, 0.52, 0.01, "0.52, expected 0.52 ± 0.01"},
		{1.914, 1.92, 0.01, "1.91, expected 1.92 ± 0.01"},
		{343.5, 344, 5, "344, expected 344 ± 5"},
		{-180.18548, -180.185, 0.001, "-180.2, expected -180.2 ± 0.001"},
		{3, 3, 0, "3, expected 3 ± 0"},
		{0.1234, 0, 1e-6, "0.1234, expected 0 ± 1e-06"},
		{math.NaN(), 0, 1, "NaN, expected 0 ± 1"},
	} {
		shown, stderr, _ := cellRun(t, func() { CheckClose("x", c.got, c.want, c.tol) })
		if said := strings.Join(shown, "") + stderr; !strings.Contains(said, " x: "+c.says) {
			t.Errorf("CheckClose(%v, %v, %v) says %q, want %q", c.got, c.want, c.tol, said, c.says)
		}
	}
}

func TestMust(t *testing.T) {
	if _, _, status := cellRun(t, func() {
		if Must(7, nil) != 7 {
			t.Error("not the value")
		}
		OK(nil)
	}); status != 0 {
		t.Error("ended without an error")
	}
	_, stderr, status := cellRun(t, func() { Must(0, errors.New("row 3 is NaN")) })
	if status != 1 || !strings.Contains(stderr, "row 3 is NaN") {
		t.Errorf("%q %d", stderr, status)
	}
	_, stderr, status = cellRun(t, func() { OK(fmt.Errorf("fit: %w", context.Canceled)) })
	if status != 130 || stderr != "interrupted\n" {
		t.Errorf("an interrupt is reported as %q, status %d", stderr, status)
	}
}

type fixed struct {
	r   figure.Rendering
	err error
}

func (f fixed) Render() (figure.Rendering, error) { return f.r, f.err }

func picture(text string) fixed {
	return fixed{r: figure.Rendering{MIME: "image/svg+xml", Data: []byte("<svg>" + text + "</svg>"), Alt: "picture " + text}}
}

func TestShow(t *testing.T) {
	shown, _, _ := cellRun(t, func() { Show(picture("a"), picture("b")) })
	if len(shown) != 2 || shown[1] != "picture b|<svg>b</svg>" {
		t.Errorf("%q", shown)
	}
	_, stderr, status := cellRun(t, func() { Show(fixed{err: errors.New("no points")}) })
	if status != 1 || !strings.Contains(stderr, "no points") {
		t.Errorf("%q %d", stderr, status)
	}
	if _, _, status = cellRun(t, func() { Show(nil) }); status != 1 {
		t.Error("a nil figure is shown")
	}
}

func TestKnobs(t *testing.T) {
	for name, knob := range map[string]func(string, []string, ...Figure){"slider": Slider, "select": Select, "buttons": Buttons} {
		shown, _, status := cellRun(t, func() { knob("K", []string{"2", "3"}, picture("a"), picture("b")) })
		if status != 0 || len(shown) != 1 || strings.Count(shown[0], "latent-frame\"") != 2 || !strings.Contains(shown[0], "picture b") {
			t.Errorf("%s: %q", name, shown)
		}
		if _, _, status := cellRun(t, func() { knob("K", []string{"2"}, picture("a"), picture("b")) }); status != 1 {
			t.Errorf("%s: one label for two figures is accepted", name)
		}
	}
	shown, _, status := cellRun(t, func() { LiveSlider("K", 1, 9, 4, func(v int) Figure { return picture(fmt.Sprint(v)) }) })
	if status != 0 || len(shown) != 1 || !strings.Contains(shown[0], "<svg>4</svg>") {
		t.Errorf("without a browser: %q", shown)
	}
	if _, _, status := cellRun(t, func() { LiveSlider("K", 5, 1, 3, nil) }); status != 1 {
		t.Error("an empty range is accepted")
	}
	if _, _, status := cellRun(t, func() { LiveSelect("K", nil, nil) }); status != 1 {
		t.Error("an empty menu is accepted")
	}
	shown, _, _ = cellRun(t, func() {
		LiveSelect("K", []string{"a", "b"}, func(v int) Figure { return picture(fmt.Sprint("select", v)) })
		LiveButton("K", func(v int) Figure { return picture(fmt.Sprint("button", v)) })
	})
	if len(shown) != 2 || !strings.Contains(shown[0], "select0") || !strings.Contains(shown[1], "button0") {
		t.Errorf("without a browser: %q", shown)
	}
}

func TestServeDrawsTheNewestValueAndEnds(t *testing.T) {
	in := newInbox()
	message := func(count, what int) { in.receive(count*wireRadix + what) }
	// Out of order, as gonb may deliver them: the fourth was sent last.
	for _, m := range [][2]int{{1, wireValue + 1}, {4, wireValue + 7}, {2, wireValue + 5}, {3, wireValue + 6}} {
		message(m[0], m[1])
	}
	in.receive(-5)
	var drawn []int
	finished := make(chan bool)
	go func() {
		serve(t.Context(), in.values, in.done, 1, func(v int) {
			drawn = append(drawn, v)
			message(9, wireDone)
		})
		close(finished)
	}()
	select {
	case <-finished:
	case <-time.After(5 * time.Second):
		t.Fatal("Done does not end it")
	}
	if !slices.Equal(drawn, []int{7}) {
		t.Errorf("drawn %v, want the newest, 7, alone", drawn)
	}
	message(0, wireHello)
	if len(in.hello) != 1 {
		t.Error("the browser's greeting is lost")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	serve(ctx, make(chan int), make(chan int), 0, func(int) {})
}

func TestTable(t *testing.T) {
	shown, _, _ := cellRun(t, func() {
		Table([]string{"method", "ARI", "n"}, []any{"k-means", 0.730238, 150}, []any{"a<b", 12.0, nil})
	})
	text, html, _ := strings.Cut(shown[0], "|")
	if want := "method   ARI     n\nk-means  0.7302  150\na<b      12"; strings.TrimRight(text, " ") != want {
		t.Errorf("%q", text)
	}
	if strings.Contains(html, "a<b") || !strings.Contains(html, "a&lt;b") {
		t.Error("a cell is not escaped")
	}
	if _, _, status := cellRun(t, func() { Table([]string{"a"}, []any{1, 2}) }); status != 1 {
		t.Error("a row longer than the header is accepted")
	}
}

func TestNumber(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 3: "3", -2: "-2", 0.123456: "0.1235", 1234.5678: "1235", 1e20: "1e+20", 1e-9: "1e-09", math.Inf(1): "+Inf"} {
		if got := Number(x); got != want {
			t.Errorf("Number(%v) = %q, want %q", x, got, want)
		}
	}
}

func TestBytes(t *testing.T) {
	defer func(was bool) { gonbui.IsNotebook = was }(gonbui.IsNotebook)
	gonbui.IsNotebook = true
	shown, _, _ := cellRun(t, func() {
		show := Bytes("a <set>")
		show(2_500_000, 10_000_000)
		show(10_000_000, 10_000_000)
	})
	if len(shown) != 2 || !strings.HasPrefix(shown[0], "a <set>: 2.5 of 10.0 MB|") || !strings.Contains(shown[0], `max="10000000" value="2500000"`) ||
		!strings.HasPrefix(shown[1], "a <set>: 10.0 MB|") || strings.Contains(shown[1], "<progress") || strings.Contains(shown[1], "<set>: 10.0 MB</div>") {
		t.Errorf("%q", shown)
	}
	gonbui.IsNotebook = false
	if shown, _, _ := cellRun(t, func() { Bytes("x")(1, 1) }); len(shown) != 0 {
		t.Errorf("outside a notebook: %q", shown)
	}
}

func TestBadge(t *testing.T) {
	defer func(was bool) { gonbui.IsNotebook = was }(gonbui.IsNotebook)
	gonbui.IsNotebook = true
	shown, _, _ := cellRun(t, func() { Badge("backend", "<go>") })
	if words, picture, _ := strings.Cut(strings.Join(shown, ""), "|"); words != "backend" || !strings.Contains(picture, "backend: &lt;go&gt;") {
		t.Errorf("%q", shown)
	}
	gonbui.IsNotebook = false
	if shown, _, _ := cellRun(t, func() { Badge("backend", "go") }); len(shown) != 1 || shown[0] != "backend: go|" {
		t.Errorf("outside a notebook: %q", shown)
	}
}

func TestProgressPassesEverythingOn(t *testing.T) {
	bad := errors.New("bad")
	steps := func(yield func(int, error) bool) {
		for i := range 5 {
			if !yield(i, nil) {
				return
			}
		}
		yield(-1, bad)
	}
	var got []int
	var last error
	for m, err := range Progress("x", 5, iter.Seq2[int, error](steps)) {
		got, last = append(got, m), err
	}
	if len(got) != 6 || got[5] != -1 || !errors.Is(last, bad) {
		t.Errorf("%v, %v", got, last)
	}
	n := 0
	for range Progress("x", 0, iter.Seq2[int, error](steps)) {
		if n++; n == 2 {
			break
		}
	}
	if n != 2 {
		t.Errorf("went on after a break: %d", n)
	}
	sum := 0
	for i := range Count("x", 4) {
		sum += i
	}
	if sum != 6 {
		t.Errorf("Count gave a sum of %d", sum)
	}
}
