// Package plotting draws the library's figures: gonum/plot inside, inline SVG, PNG or HTML out. A
// figure is a value; nothing here displays it. Package nb shows it in a notebook, Save writes it to
// a file.
package plotting

import "github.com/golatent/latent/internal/figure"

// Figure is a picture that can be rendered: a plot, a grid of images, an animation.
type Figure = figure.Figure

// Rendering is a figure drawn: one document of one MIME type and, in words, what it shows.
type Rendering = figure.Rendering
