//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/evaluate"
)

func init() {
	register(
		row{name: "linear-probe", input: "digits", figures: []figure{{"mean -log p", equal}}, fit: linearProbe},
		row{name: "silhouette", input: "blobs10k10", figures: []figure{{"silhouette", equal}}, fit: silhouette},
	)
}

func linearProbe(ctx context.Context, p problem) (judge, error) {
	m, err := evaluate.LinearProbe{}.Fit(ctx, p.X, labels(p.Y))
	if err != nil {
		return nil, err
	}
	return known(m.Loss), nil
}

func silhouette(ctx context.Context, p problem) (judge, error) {
	s, err := evaluate.Silhouette(ctx, p.X, labels(p.Y))
	if err != nil {
		return nil, err
	}
	return known(s), nil
}
