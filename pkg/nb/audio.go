package nb

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"html"
	"math"
	"strings"
)

// Audio shows a player for each of some sounds under a label of its own: samples, so many a second
// (rate, in hertz), of which the loudest is played at nine tenths of full scale. A second at 8,000
// hertz takes 21 kB in the notebook. Outside a notebook the labels alone are printed.
func Audio(rate int, labels []string, sounds ...[]float64) {
	if rate < 1 || len(labels) != len(sounds) {
		stop(fmt.Sprintf("error: nb.Audio: %d samples a second, %d labels for %d sounds", rate, len(labels), len(sounds)))
		return
	}
	var rows strings.Builder
	words := make([]string, len(sounds))
	for i, s := range sounds {
		words[i] = "sound: " + labels[i]
		fmt.Fprintf(&rows, `<div style="display:flex;align-items:center;gap:12px;margin:2px 0"><span style="flex:0 0 14em;font-family:sans-serif;font-size:13px">%s</span>`+
			`<audio controls preload="auto" style="height:32px" aria-label="%[1]s" src="data:audio/wav;base64,%s"></audio></div>`,
			html.EscapeString(labels[i]), base64.StdEncoding.EncodeToString(wav(s, rate)))
	}
	display(strings.Join(words, "\n"), rows.String(), "")
}

// wav is a sound as a file: 16 bits a sample, one channel. What is not finite is silent.
func wav(samples []float64, rate int) []byte {
	most := 0.0
	for _, v := range samples {
		if v-v == 0 {
			most = max(most, math.Abs(v))
		}
	}
	size := 2 * len(samples)
	out := []byte("RIFF")
	out = binary.LittleEndian.AppendUint32(out, uint32(36+size))
	out = append(out, "WAVEfmt "...)
	out = binary.LittleEndian.AppendUint32(out, 16)
	for _, v := range []uint16{1, 1} { // integers, one channel
		out = binary.LittleEndian.AppendUint16(out, v)
	}
	out = binary.LittleEndian.AppendUint32(out, uint32(rate))
	out = binary.LittleEndian.AppendUint32(out, uint32(2*rate)) // bytes a second
	for _, v := range []uint16{2, 16} {                         // bytes and bits a sample
		out = binary.LittleEndian.AppendUint16(out, v)
	}
	out = append(out, "data"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(size))
	for _, v := range samples {
		level := 0.0
		if v-v == 0 && most > 0 {
			level = v / most
		}
		out = binary.LittleEndian.AppendUint16(out, uint16(int16(math.Round(0.9*32767*level))))
	}
	return out
}
