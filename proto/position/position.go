package position

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Position says what a node holds, or what a write made. The zero value is a node that holds nothing.
type Position struct {
	Epoch    uint64 // of the database's history; grows when the database went back
	Revision uint64 // of the configuration, from 1, gap-free within an epoch
	Sequence uint64 // of the directory's latest entry, from 1, gap-free within an epoch
}

// Lane is one of the two ways to a node, each with its own number.
type Lane uint8

// The lanes.
const (
	Configuration Lane = iota + 1
	Directory
)

// String returns the lane's name.
func (l Lane) String() string {
	switch l {
	case Configuration:
		return "configuration"
	case Directory:
		return "directory"
	}
	return "unknown"
}

// Order is how two positions relate.
type Order uint8

// The orders. Positions are ordered only in part: within an epoch each lane moves forward by
// itself, so one can be ahead in configuration and behind in the directory.
const (
	Same Order = iota
	Before
	After
	Apart // ahead in one lane, behind in the other
)

// Compare tells how p relates to q. Across epochs the epoch alone decides: the numbers of two epochs
// count different histories.
func (p Position) Compare(q Position) Order {
	switch {
	case p == q:
		return Same
	case p.Epoch != q.Epoch:
		if p.Epoch < q.Epoch {
			return Before
		}
		return After
	case p.Revision <= q.Revision && p.Sequence <= q.Sequence:
		return Before
	case p.Revision >= q.Revision && p.Sequence >= q.Sequence:
		return After
	}
	return Apart
}

// Less tells whether p is behind q in at least one lane and ahead in none. Of two positions that are
// apart neither is less.
func (p Position) Less(q Position) bool { return p.Compare(q) == Before }

// Covers tells whether whoever holds p has all that q has.
func (p Position) Covers(q Position) bool {
	order := p.Compare(q)
	return order == Same || order == After
}

// LaneNumber returns the position's number in a lane, and 0 for a lane that is none.
func (p Position) LaneNumber(lane Lane) uint64 {
	switch lane {
	case Configuration:
		return p.Revision
	case Directory:
		return p.Sequence
	}
	return 0
}

// String returns epoch:revision:sequence, such as 1:42:9001.
func (p Position) String() string { return string(p.append(nil)) }

// MarshalText is String for encoders and log/slog.
func (p Position) MarshalText() ([]byte, error) { return p.append(nil), nil }

// UnmarshalText is Parse for decoders.
func (p *Position) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err != nil {
		return err
	}
	*p = parsed
	return nil
}

func (p Position) append(dst []byte) []byte {
	dst = strconv.AppendUint(dst, p.Epoch, 10)
	dst = append(dst, ':')
	dst = strconv.AppendUint(dst, p.Revision, 10)
	dst = append(dst, ':')
	return strconv.AppendUint(dst, p.Sequence, 10)
}

// ErrMalformed is what Parse's errors wrap.
var ErrMalformed = errors.New("malformed position")

// Parse reads what String writes, and nothing else: no sign, no leading zero, no space.
func Parse(s string) (Position, error) {
	var p Position
	rest := s
	for i, number := range []*uint64{&p.Epoch, &p.Revision, &p.Sequence} {
		text, after, more := strings.Cut(rest, ":")
		if more != (i < 2) {
			return Position{}, fmt.Errorf("%w: want epoch:revision:sequence", ErrMalformed)
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil || text[0] == '0' && text != "0" {
			return Position{}, fmt.Errorf("%w: number %d isn't a decimal of 64 bits", ErrMalformed, i+1)
		}
		*number, rest = n, after
	}
	return p, nil
}
