package text

import (
	"testing"

	"github.com/golatent/latent/internal/xlatest"
)

func TestMain(m *testing.M) { xlatest.Main(m) }
