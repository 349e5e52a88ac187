// Package plotting draws the library's figures: gonum/plot inside, inline SVG, PNG or HTML out. A figure is a value; nothing
// here displays it. Package nb shows it in a notebook, Save writes it to a file.
package plotting

// Figure is a picture that can be rendered: a plot, a grid of images, an animation.
type Figure interface {
	Render() (Rendering, error)
}

// Rendering is a figure drawn: one document of one MIME type and, in words, what it shows.
type Rendering struct {
	MIME          string // "image/svg+xml", "image/png" or "text/html"
	Data          []byte
	Alt           string // the alternative text: what a reader who can't see the picture should know
	Width, Height int    // CSS pixels
}
