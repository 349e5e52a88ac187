package figure

import (
	"strings"
	"testing"
)

func svg(body string) Rendering {
	return Rendering{MIME: "image/svg+xml", Data: []byte("<?xml version=\"1.0\"?>\n<!-- c -->\n<svg>" + body + "</svg>"), Alt: "a <picture>", Width: 10, Height: 20}
}

func TestInlineSVGHasNoPrologAndItsOwnIDs(t *testing.T) {
	a, b := svg(`<clipPath id="c"/><g clip-path="url(#c)"/><use href="#c"/>`).HTML(), svg(`<clipPath id="c"/>`).HTML()
	if !strings.HasPrefix(a, "<svg") {
		t.Errorf("starts with %.20q", a)
	}
	id := a[strings.Index(a, `id="`)+4:]
	id = id[:strings.Index(id, `"`)]
	if id == "c" || strings.Count(a, id) != 3 {
		t.Errorf("id %q is not renamed in all three places: %s", id, a)
	}
	if strings.Contains(b, `id="`+id+`"`) {
		t.Error("two pictures share an id")
	}
	if a != svg(`<clipPath id="c"/><g clip-path="url(#c)"/><use href="#c"/>`).HTML() {
		t.Error("the same picture gives another element the second time")
	}
}

func TestPNGCarriesItsDescription(t *testing.T) {
	h := Rendering{MIME: "image/png", Data: []byte{1, 2, 3}, Alt: `x<"y"`, Width: 4, Height: 5}.HTML()
	for _, want := range []string{`width="4"`, `height="5"`, `alt="x&lt;&#34;y&#34;"`, "base64,AQID"} {
		if !strings.Contains(h, want) {
			t.Errorf("%s has no %s", h, want)
		}
	}
}

func TestPlayer(t *testing.T) {
	frames := []Rendering{svg("1"), svg("2"), svg("3")}
	for _, c := range []Control{"", Slider, Select, Buttons, Play} {
		r, err := Player(frames, []string{"a", "b<", "c"}, PlayerOptions{Control: c, Label: "K", Start: 1})
		if err != nil {
			t.Fatal(err)
		}
		h := string(r.Data)
		if n := strings.Count(h, `class="latent-frame"`); n != 3 {
			t.Errorf("%q: %d frames", c, n)
		}
		if n := strings.Count(h, `style="display:none"`); n != 2 {
			t.Errorf("%q: %d frames are hidden, want 2", c, n)
		}
		if strings.Contains(h, "b<") || !strings.Contains(h, "b&lt;") {
			t.Errorf("%q: a label is not escaped", c)
		}
		if strings.Contains(h, "<script") || strings.Contains(h, "http") {
			t.Errorf("%q: has a script or asks the network", c)
		}
		if r.Width != 10 || r.Height != 20 || r.Alt == "" {
			t.Errorf("%q: %d×%d, %q", c, r.Width, r.Height, r.Alt)
		}
	}
	for name, bad := range map[string]func() (Rendering, error){
		"no frames":    func() (Rendering, error) { return Player(nil, nil, PlayerOptions{}) },
		"labels":       func() (Rendering, error) { return Player(frames, []string{"a"}, PlayerOptions{}) },
		"start":        func() (Rendering, error) { return Player(frames, nil, PlayerOptions{Start: 3}) },
		"control":      func() (Rendering, error) { return Player(frames, nil, PlayerOptions{Control: "dial"}) },
		"below zero":   func() (Rendering, error) { return Player(frames, nil, PlayerOptions{Start: -1}) },
		"empty labels": func() (Rendering, error) { return Player(frames, []string{}, PlayerOptions{}) },
	} {
		if _, err := bad(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
