package topic

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
)

// Vectorizer turns texts into counts of words, a bag of words each: the order of words is lost. A
// word is a run of letters and of apostrophes between them, in lower case.
type Vectorizer struct {
	// StopWords are left out; nil means the English ones of StopWords, and an empty list none.
	StopWords []string
	// MinLetters is how long a word must be; 0 means 3, and 1 takes all.
	MinLetters int
	// MinDocuments is in how many texts a word must occur; 0 means 2.
	MinDocuments int
	// MaxShare is in what part of the texts it may occur at most: what is everywhere says nothing
	// of a text. 0 means 0.5, and 1 takes all.
	MaxShare float64
	// MaxWords keeps the words that occur in the most texts; 0 means all.
	MaxWords int
}

// Vocabulary are the words that a Vectorizer has chosen.
type Vocabulary struct {
	Words      []string // in alphabetical order
	Documents  []int    // in how many of the texts each occurs
	MinLetters int
	number     map[string]int
}

func init() { ml.Register[Vocabulary]("topic.Vocabulary") }

const vectorizerMethod = "topic.Vectorizer"

// valid refuses bytes that are no UTF-8: they would end words, and two words that differ in them
// would be one.
func valid(method string, texts []string) error {
	for i, text := range texts {
		if !utf8.ValidString(text) {
			return ml.BadParameter(method, fmt.Sprintf("text %d", i), "bytes that are no UTF-8", "a text in UTF-8")
		}
	}
	return nil
}

// Fit chooses the words of texts. The error is ml.ErrParameter, also for a text that is no UTF-8,
// ml.ErrEmpty where there are no texts or no word is left, and ctx.Err().
func (v Vectorizer) Fit(ctx context.Context, texts []string) (*Vocabulary, error) {
	letters, least, most := v.MinLetters, v.MinDocuments, v.MaxShare
	if letters == 0 {
		letters = 3
	}
	if least == 0 {
		least = 2
	}
	if most == 0 {
		most = 0.5
	}
	switch {
	case len(texts) == 0:
		return nil, ml.Empty(vectorizerMethod, "there are no texts")
	case letters < 1:
		return nil, ml.BadParameter(vectorizerMethod, "MinLetters", v.MinLetters, "at least 1, or 0 for 3")
	case least < 1:
		return nil, ml.BadParameter(vectorizerMethod, "MinDocuments", v.MinDocuments, "at least 1, or 0 for 2")
	case !(most > 0 && most <= 1):
		return nil, ml.BadParameter(vectorizerMethod, "MaxShare", v.MaxShare, "above 0 and at most 1, or 0 for 0.5")
	case v.MaxWords < 0:
		return nil, ml.BadParameter(vectorizerMethod, "MaxWords", v.MaxWords, "0 or more")
	}
	if err := valid(vectorizerMethod, texts); err != nil {
		return nil, err
	}
	stop := map[string]bool{}
	words := v.StopWords
	if words == nil {
		words = StopWords()
	}
	for _, w := range words {
		stop[strings.ToLower(w)] = true
	}
	in := map[string]int{}
	for i, text := range texts {
		if i%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		seen := map[string]bool{}
		for _, w := range tokens(text, letters) {
			if !seen[w] && !stop[w] {
				seen[w] = true
				in[w]++
			}
		}
	}
	out := &Vocabulary{MinLetters: letters}
	for w, n := range in {
		if n >= least && float64(n) <= math.Floor(most*float64(len(texts))+1e-9) {
			out.Words = append(out.Words, w)
		}
	}
	if len(out.Words) == 0 {
		return nil, ml.Empty(vectorizerMethod, "none of the %d words of %d texts is left: MinDocuments = %d, MaxShare = %v", len(in), len(texts), least, most)
	}
	slices.Sort(out.Words)
	if v.MaxWords > 0 && v.MaxWords < len(out.Words) {
		slices.SortStableFunc(out.Words, func(a, b string) int { return in[b] - in[a] })
		out.Words = out.Words[:v.MaxWords:v.MaxWords]
		slices.Sort(out.Words)
	}
	for _, w := range out.Words {
		out.Documents = append(out.Documents, in[w])
	}
	out.index()
	return out, nil
}

func (v *Vocabulary) index() {
	v.number = make(map[string]int, len(v.Words))
	for j, w := range v.Words {
		v.number[w] = j
	}
}

// Number returns the column of a word, or −1.
func (v *Vocabulary) Number(word string) int {
	if j, ok := slices.BinarySearch(v.Words, word); ok {
		return j
	}
	return -1
}

// Numbers returns the words of a text by their columns, in their order, without those that are not
// in the vocabulary.
func (v *Vocabulary) Numbers(text string) []int {
	var out []int
	for _, w := range tokens(text, max(v.MinLetters, 1)) {
		j, ok := v.number[w]
		if v.number == nil {
			j = v.Number(w)
			ok = j >= 0
		}
		if ok {
			out = append(out, j)
		}
	}
	return out
}

// Counts counts the words of texts, one text a row. The error is ml.ErrEmpty where there are no
// texts or no words, ml.ErrParameter for a text that is no UTF-8, or ctx.Err().
func (v *Vocabulary) Counts(ctx context.Context, texts []string) (*csr.Matrix, error) {
	if len(texts) == 0 || len(v.Words) == 0 {
		return nil, ml.Empty("topic.Vocabulary", "there are %d texts and %d words", len(texts), len(v.Words))
	}
	if err := valid("topic.Vocabulary", texts); err != nil {
		return nil, err
	}
	rows := make([][]int, len(texts))
	err := parallel.For(ctx, len(texts), 16, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			rows[i] = v.Numbers(texts[i])
		}
	})
	if err != nil {
		return nil, err
	}
	return csr.FromRows(len(v.Words), rows, nil)
}

// Names returns the words in columns.
func (v *Vocabulary) Names(columns []int) []string {
	names := make([]string, len(columns))
	for i, j := range columns {
		if j < 0 || j >= len(v.Words) {
			names[i] = fmt.Sprintf("word %d", j)
			continue
		}
		names[i] = v.Words[j]
	}
	return names
}

// tokens are the words of a text.
func tokens(text string, letters int) []string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && r != '\'' && r != '’' })
	out := words[:0]
	for _, w := range words {
		w = strings.ReplaceAll(strings.Trim(w, "'’"), "’", "'")
		if w != "" && (letters <= 1 || len([]rune(w)) >= letters) {
			out = append(out, w)
		}
	}
	return out
}

// StopWords returns English words that tell texts of different subjects apart least: articles,
// pronouns, prepositions, conjunctions, auxiliary verbs.
func StopWords() []string { return strings.Fields(stopWords) }

const stopWords = `
a about above after again against all almost along already also although always am among an and another any anything are aren't around as at
be became because become becomes been before being below between both but by
can can't cannot could couldn't
did didn't do does doesn't doing don't done down during
each either else enough etc even ever every
few first for from further
get gets give given gives go goes
had hadn't has hasn't have haven't having he hence her here hers herself him himself his how however
i if in instead into is isn't it it's its itself
just
last least less let like
made make makes many may me might more most much must my myself
neither never nevertheless no none nor not nothing now
of off often on once one ones only onto or other others otherwise our ours ourselves out over own
per perhaps please put
quite
rather really
same second see seem seems several shall she should shouldn't since so some something sometimes soon still such
take taken than that that's the their theirs them themselves then there therefore these they thing things this those though three through thus to together too toward two
under unless until up upon us use used uses using usually
very via
want was wasn't way we well were weren't what when where whether which while who whom whose why will with within without won't would wouldn't
yes yet you your yours yourself yourselves
`
