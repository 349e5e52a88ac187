package plotting

import (
	"fmt"

	"github.com/golatent/latent/internal/figure"
	"github.com/golatent/latent/pkg/ml"
)

// Film is a figure that moves: frames under a slider with a button that plays them, made by
// Animation. It is plain HTML that needs neither the kernel nor the network, so that it moves in a
// saved notebook and on a static page.
type Film struct {
	frames []Figure
	names  []string
	o      figure.PlayerOptions
	err    error
}

// Animation makes a film of frames. Frames that are Plots get the same axes, those that cover all,
// unless they set their own.
func Animation[F Figure](frames ...F) *Film {
	f := &Film{o: figure.PlayerOptions{Control: figure.Play, Label: "step"}}
	plots := make([]*Plot, 0, len(frames))
	for _, fr := range frames {
		if p, ok := any(fr).(*Plot); ok {
			plots = append(plots, p)
		}
		f.frames = append(f.frames, fr)
	}
	if len(frames) == 0 {
		f.err = fmt.Errorf("plotting.Animation: no frames: %w", ml.ErrEmpty)
	}
	if len(plots) == len(frames) && f.err == nil {
		if plots, f.err = together(plots); f.err == nil {
			for i, p := range plots {
				f.frames[i] = p
			}
		}
	}
	return f
}

// Labels says what each frame shows, beside the slider; the default is 1, 2, ….
func (f *Film) Labels(s ...string) *Film { f.names = append([]string{}, s...); return f }

// Name says what the slider runs over, such as "iteration"; the default is "step".
func (f *Film) Name(s string) *Film { f.o.Label = s; return f }

// Millis sets how long a frame is shown, in milliseconds; the default is 400.
func (f *Film) Millis(ms int) *Film {
	if ms < 1 {
		f.err = either(f.err, ml.BadParameter("plotting.Film.Millis", "ms", ms, "ms ≥ 1"))
	}
	f.o.Millis = ms
	return f
}

// Start sets the frame shown first, from 0; a static page without scripts shows no other.
func (f *Film) Start(i int) *Film { f.o.Start = i; return f }

// Alt sets the description; without it, one is made from the first and the last frame's.
func (f *Film) Alt(s string) *Film { f.o.Alt = s; return f }

// Render draws every frame.
func (f *Film) Render() (r Rendering, err error) {
	defer guard(&err)
	if f.err != nil {
		return Rendering{}, f.err
	}
	frames := make([]Rendering, len(f.frames))
	for i, fr := range f.frames {
		if frames[i], err = fr.Render(); err != nil {
			return Rendering{}, fmt.Errorf("frame %d: %w", i, err)
		}
	}
	return figure.Player(frames, f.names, f.o)
}
