package datasets

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// marks are the two signs inside a number: the decimal mark and the one between groups of three
// digits, 0 where there is none.
type marks struct{ decimal, group byte }

// numberForm is what the signs inside a cell that looks like a number say about their meaning.
type numberForm int

const (
	noNumber     numberForm = iota
	plain                   // 12, -3, 1e5: no sign inside
	dotDecimal              // 1.5
	commaDecimal            // 1,5
	dotMixed                // 1,234.5
	commaMixed              // 1.234,5
	dotGroups               // 1.234.567
	commaGroups             // 1,234,567
	dotEither               // 1.234, which is a fraction or a group
	commaEither             // 1,234
)

// formOf classifies a cell by its signs.
func formOf(cell []byte) numberForm {
	i := 0
	if i < len(cell) && (cell[i] == '+' || cell[i] == '-') {
		i++
	}
	begin, end := i, len(cell)
	for k := begin; k < end; k++ {
		if cell[k] == 'e' || cell[k] == 'E' {
			if !isExponent(cell[k+1:]) {
				return noNumber
			}
			end = k
			break
		}
	}
	body := cell[begin:end]
	var sign [2]int // how many dots, how many commas
	last, digits := byte(0), 0
	for _, c := range body {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '.':
			sign[0]++
			last = c
		case c == ',':
			sign[1]++
			last = c
		default:
			return noNumber
		}
	}
	switch {
	case digits == 0:
		return noNumber
	case last == 0:
		return plain
	}
	dots, commas := sign[0], sign[1]
	dec, grouped := commaDecimal, dotGroups
	if last == '.' {
		dec = dotDecimal
	}
	switch {
	case dots > 0 && commas > 0: // the last sign is the decimal mark, and stands once
		group, mixed, marks := byte('.'), commaMixed, commas
		if last == '.' {
			group, mixed, marks = ',', dotMixed, dots
		}
		if marks > 1 || !isGrouped(body[:bytes.IndexByte(body, last)], group) {
			return noNumber
		}
		return mixed
	case dots+commas > 1: // groups alone
		if last == ',' {
			grouped = commaGroups
		}
		if !isGrouped(body, last) || end < len(cell) {
			return noNumber
		}
		return grouped
	case end == len(cell) && isGrouped(body, last):
		if last == '.' {
			return dotEither
		}
		return commaEither
	}
	return dec
}

// isExponent reports whether b is what follows the e of a number.
func isExponent(b []byte) bool {
	if len(b) > 0 && (b[0] == '+' || b[0] == '-') {
		b = b[1:]
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(b) > 0
}

// isGrouped reports whether b is one to three digits, not beginning with a zero, and groups of
// three digits behind them.
func isGrouped(b []byte, group byte) bool {
	lead := 0
	for lead < len(b) && b[lead] != group {
		lead++
	}
	if lead < 1 || lead > 3 || b[0] == '0' || lead == len(b) {
		return false
	}
	for rest := b[lead:]; len(rest) > 0; rest = rest[4:] {
		if len(rest) < 4 || rest[0] != group || rest[1] == group || rest[2] == group || rest[3] == group {
			return false
		}
	}
	return true
}

// numberTrouble says why a cell is no number, or a number that must not be held as one.
type numberTrouble int

const (
	fine        numberTrouble = iota
	notNumber                 // it does not read as one
	losesZeros                // 007: a float64 would lose its zeros
	losesDigits               // a whole number beyond 2⁵³ that a float64 would round
	outOfRange                // beyond 1.8e308
)

// exactPowers are the powers of ten that a float64 holds exactly.
var exactPowers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseNumber reads a cell. The value is the float64 nearest to what is written. strict also
// refuses what would lose something by being held as a float64.
func parseNumber(cell []byte, m marks, strict bool) (float64, numberTrouble) {
	if v, ok := parsePlain(cell, m.decimal, strict); ok {
		return v, fine
	}
	i, n := 0, len(cell)
	negative := false
	if n > 0 && (cell[0] == '-' || cell[0] == '+') {
		negative = cell[0] == '-'
		i = 1
	}
	first := i
	var mantissa uint64
	digits, fraction, signs := 0, 0, 0 // significant digits seen, those behind the mark, signs between groups
	point := false
scan:
	for ; i < n; i++ {
		c := cell[i]
		switch {
		case c-'0' < 10:
			if digits < 19 {
				mantissa = 10*mantissa + uint64(c-'0')
				if mantissa > 0 {
					digits++
				}
			} else {
				digits++
			}
			if point {
				fraction++
			}
		case c == m.decimal && !point:
			point = true
		case c == m.group && c != 0 && !point:
			signs++
		default:
			break scan
		}
	}
	body := cell[first:i]
	if len(body) == 0 || len(body) == 1 && point {
		return parseNamed(cell)
	}
	exponent := 0
	if i < n {
		if cell[i] != 'e' && cell[i] != 'E' || !isExponent(cell[i+1:]) {
			return parseNamed(cell)
		}
		negativeExponent := cell[i+1] == '-'
		for _, c := range cell[i+1:] {
			if c >= '0' && c <= '9' {
				exponent = min(10*exponent+int(c-'0'), 100_000)
			}
		}
		if negativeExponent {
			exponent = -exponent
		}
	}
	whole := !point && i == n
	if signs > 0 {
		whole, body = false, body[:max(0, len(body)-fraction)]
		if point {
			body = body[:len(body)-1]
		}
		if !isGrouped(body, m.group) {
			return 0, notNumber
		}
	}
	if whole && strict {
		if body[0] == '0' && len(body) > 1 {
			return 0, losesZeros
		}
		if digits > 15 {
			return parseLong(cell)
		}
	}
	exponent -= fraction
	if digits <= 15 && exponent >= -22 && exponent <= 22 { // both exact, so one rounding (Clinger, 1990)
		v := float64(mantissa)
		if exponent < 0 {
			v /= exactPowers[-exponent]
		} else {
			v *= exactPowers[exponent]
		}
		if negative {
			v = -v
		}
		return v, fine
	}
	return parseSlowly(cell, m)
}

// parsePlain reads digits, a decimal mark and digits, 19 in all at most, and leaves everything
// else, zeros before a whole number and long whole numbers among it, to parseNumber's other ways.
func parsePlain(cell []byte, decimal byte, strict bool) (v float64, ok bool) {
	i, negative := 0, false
	if len(cell) > 0 && cell[0] == '-' {
		negative, i = true, 1
	}
	first := i
	var mantissa uint64
	for i < len(cell) {
		c := cell[i] - '0'
		if c > 9 {
			break
		}
		mantissa = 10*mantissa + uint64(c)
		i++
	}
	whole, fraction := i-first, 0
	switch {
	case i < len(cell):
		if cell[i] != decimal {
			return 0, false
		}
		i++
		begin := i
		for i < len(cell) {
			c := cell[i] - '0'
			if c > 9 {
				return 0, false
			}
			mantissa = 10*mantissa + uint64(c)
			i++
		}
		fraction = i - begin
	case strict && (whole > 15 || whole > 1 && cell[first] == '0'):
		return 0, false
	}
	if digits := whole + fraction; digits == 0 || digits > 19 {
		return 0, false
	}
	switch {
	case fraction <= 22 && mantissa < 1<<53: // both exact, so one rounding (Clinger, 1990)
		v = float64(mantissa) / exactPowers[fraction]
	default:
		v = quotient(mantissa, fraction)
	}
	if negative {
		v = -v
	}
	return v, true
}

// quotient returns m/10^k, 0 ≤ k ≤ 27 and m > 0, rounded once: m/5^k is divided out to 63 bits or
// more, of which the last stands for the remainder, and 2^k is a matter of the exponent.
func quotient(m uint64, k int) float64 {
	d := powersOfFive[k]
	shiftM, shiftD := bits.LeadingZeros64(m), bits.LeadingZeros64(d)
	m, d = m<<shiftM, d<<shiftD
	q, rest := bits.Div64(m>>1, m<<63, d)
	if rest != 0 {
		q |= 1
	}
	exponent := shiftD - shiftM - k - 63
	return float64(q) * math.Float64frombits(uint64(exponent+1023)<<52)
}

var powersOfFive = func() (p [28]uint64) {
	p[0] = 1
	for k := 1; k < len(p); k++ {
		p[k] = 5 * p[k-1]
	}
	return p
}()

// parseLong reads a whole number of more than 15 digits, and refuses it where a float64 is another.
// Beyond 2⁵³ a float64 prints the digits of its own that name it: what comes back as it was written
// has lost nothing.
func parseLong(cell []byte) (float64, numberTrouble) {
	v, err := strconv.ParseFloat(string(cell), 64)
	if err != nil {
		return 0, outOfRange
	}
	if strconv.FormatFloat(math.Abs(v), 'f', -1, 64) != strings.TrimLeft(string(cell), "+-") {
		return 0, losesDigits
	}
	return v, fine
}

func parseSlowly(cell []byte, m marks) (float64, numberTrouble) {
	text := make([]byte, 0, len(cell))
	for _, c := range cell {
		switch c {
		case m.group:
			continue
		case m.decimal:
			c = '.'
		}
		text = append(text, c)
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return 0, outOfRange // its form has been checked
	}
	return v, fine
}

// parseNamed reads the infinities. NaN is a word for a missing cell.
func parseNamed(cell []byte) (float64, numberTrouble) {
	if len(cell) < 3 || len(cell) > 9 {
		return 0, notNumber
	}
	switch strings.ToLower(string(cell)) {
	case "inf", "+inf", "infinity", "+infinity":
		return math.Inf(1), fine
	case "-inf", "-infinity":
		return math.Inf(-1), fine
	}
	return 0, notNumber
}

func (t numberTrouble) String() string {
	switch t {
	case losesZeros:
		return "whose leading zeros a number would lose"
	case losesDigits:
		return "whose last digits a number would lose"
	case outOfRange:
		return "which is beyond the largest number"
	}
	return "which is no number"
}

// parseBool reads true and false in lower, upper and title case.
func parseBool(cell []byte) (value, ok bool) {
	switch string(cell) {
	case "true", "TRUE", "True":
		return true, true
	case "false", "FALSE", "False":
		return false, true
	}
	return false, false
}

// Layouts of dates in the notation of package time. Those of the first kind read in one way only.
var (
	certainDates = []string{
		"2006-01-02", "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04",
		time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006/01/02", "2006/1/2", "2 January 2006", "2 Jan 2006", "Jan 2, 2006", "January 2, 2006",
		"02.01.2006", "2.1.2006", "02.01.2006 15:04", "02.01.2006 15:04:05", "2-Jan-2006",
	}
	dayFirst   = []string{"2/1/2006", "2/1/2006 15:04", "2/1/2006 15:04:05", "2-1-2006"}
	monthFirst = []string{"1/2/2006", "1/2/2006 15:04", "1/2/2006 15:04:05", "1-2-2006"}
)

// mayBeDate is a quick test that lets most text pass by.
func mayBeDate(cell []byte) bool {
	if len(cell) < 8 || len(cell) > 35 {
		return false
	}
	digits := 0
	for _, c := range cell {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return digits >= 5 && digits < len(cell)
}

// layoutOf returns the first of layouts that reads a cell, "" where none does.
func layoutOf(cell []byte, layouts []string) string {
	for _, l := range layouts {
		if _, err := time.Parse(l, string(cell)); err == nil {
			return l
		}
	}
	return ""
}

// parseDate reads a cell by the first of layouts that fits, trying likely, the one that fitted
// last, before.
func parseDate(cell []byte, layouts []string, likely *string) (time.Time, bool) {
	if *likely != "" {
		if t, err := time.Parse(*likely, string(cell)); err == nil {
			return t, true
		}
	}
	if !mayBeDate(cell) {
		return time.Time{}, false
	}
	for _, l := range layouts {
		if t, err := time.Parse(l, string(cell)); err == nil {
			*likely = l
			return t, true
		}
	}
	return time.Time{}, false
}

// missingWords say that a number, a date or a truth value is missing. In a column of text they are
// words like any other: NA is Namibia too.
var missingWords = map[string]bool{
	"NA": true, "N/A": true, "n/a": true, "na": true, "#N/A": true, "<NA>": true, "NaN": true, "nan": true, "NAN": true, "-nan": true,
	"NULL": true, "null": true, "Null": true, "None": true, "none": true, "NONE": true, "?": true, "-": true, "--": true, ".": true, "*": true,
	"missing": true, "NaT": true, "nil": true,
}
