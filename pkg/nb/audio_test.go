package nb

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strings"
	"testing"
)

// A player holds a file of 16-bit samples, the loudest at nine tenths of full scale, what is not
// finite silent; its label is text, not HTML.
func TestAudio(t *testing.T) {
	shown, stderr, status := cellRun(t, func() {
		Audio(8000, []string{"a <b>", "silence"}, []float64{0.5, -1, math.NaN(), 0.25}, make([]float64, 4000))
	})
	if len(shown) != 1 || stderr != "" || status != 0 {
		t.Fatalf("%q %q %d", shown, stderr, status)
	}
	words, page, _ := strings.Cut(shown[0], "|")
	if words != "sound: a <b>\nsound: silence" || strings.Contains(page, "<b>") || strings.Count(page, "<audio controls") != 2 {
		t.Errorf("%q, %q", words, page)
	}
	_, rest, _ := strings.Cut(page, "data:audio/wav;base64,")
	text, _, _ := strings.Cut(rest, `"`)
	file, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(file) != 44+8 || string(file[:4])+string(file[8:16])+string(file[36:40]) != "RIFFWAVEfmt data" {
		t.Fatalf("%v %q", err, file)
	}
	number := func(at int) int { return int(binary.LittleEndian.Uint32(file[at:])) }
	if number(4) != len(file)-8 || number(24) != 8000 || number(28) != 16000 || number(40) != 8 {
		t.Errorf("sizes and rates: %d, %d, %d, %d", number(4), number(24), number(28), number(40))
	}
	for i, want := range []int16{14745, -29490, 0, 7373} {
		if got := int16(binary.LittleEndian.Uint16(file[44+2*i:])); got < want-1 || got > want+1 {
			t.Errorf("sample %d is %d, want %d", i, got, want)
		}
	}
	if _, stderr, status = cellRun(t, func() { Audio(8000, []string{"one"}) }); status != 1 || !strings.Contains(stderr, "1 labels for 0 sounds") {
		t.Errorf("%q %d", stderr, status)
	}
}
