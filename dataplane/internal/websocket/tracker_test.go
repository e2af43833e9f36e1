package websocket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
)

// frame makes a frame of zeros.
func frame(first byte, size int, from Direction) []byte {
	mask := byte(0)
	if from == FromClient {
		mask = masked
	}
	b := []byte{first}
	switch {
	case size < length16:
		b = append(b, mask|byte(size))
	case size <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, mask|length16), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|length64), uint64(size))
	}
	if from == FromClient {
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, make([]byte, size)...)
}

// follow feeds bytes in pieces of a size, and returns where frames ended.
func follow(t *Tracker, b []byte, piece int) (ends []int, err error) {
	for at := 0; at < len(b); {
		n, err := t.Advance(b[at:min(at+piece, len(b))])
		if err != nil {
			return ends, err
		}
		at += n
		if t.AtBoundary() {
			ends = append(ends, at)
		}
	}
	return ends, nil
}

func TestFramesOfAllSizesAreFollowedInPiecesOfAllSizes(t *testing.T) {
	for _, from := range []Direction{FromClient, FromService} {
		var stream []byte
		var want []int
		for _, size := range []int{0, 1, 125, 126, 127, 65535, 65536} {
			stream = append(stream, frame(final|opBinary, size, from)...)
			want = append(want, len(stream))
		}
		for _, fragment := range []byte{opText, opContinuation, final | opPing, final | opContinuation, final | opPong} {
			stream = append(stream, frame(fragment, 10, from)...)
			want = append(want, len(stream))
		}
		for _, piece := range []int{1, 2, 3, 7, 1000, len(stream)} {
			tracker := NewTracker(from, false)
			got, err := follow(&tracker, stream, piece)
			if err != nil || len(got) != len(want) || got[len(got)-1] != want[len(want)-1] {
				t.Fatalf("pieces of %d: ends at %v (%v), want %v", piece, got, err, want)
			}
		}
	}
}

func TestFramesThatBreakTheRulesAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		bytes []byte
		want  error
	}{
		"reserved bit":             {[]byte{final | 0x40 | opText, 0}, ErrReserved},
		"unknown opcode":           {[]byte{final | 0x3, 0}, ErrOpcode},
		"unknown control opcode":   {[]byte{final | 0xb, 0}, ErrOpcode},
		"control in pieces":        {[]byte{opPing, 0}, ErrControl},
		"long control":             {[]byte{final | opPing, length16}, ErrControl},
		"masked by a service":      {[]byte{final | opText, masked | 1}, ErrMask},
		"16 bits where 7 do":       {[]byte{final | opText, length16, 0, 125}, ErrLength},
		"64 bits where 16 do":      {[]byte{final | opText, length64, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, ErrLength},
		"a negative length":        {[]byte{final | opText, length64, 0x80, 0, 0, 0, 0, 0, 0, 0}, ErrLength},
		"continuation of nothing":  {[]byte{final | opContinuation, 0}, ErrFragment},
		"a message inside another": {[]byte{opText, 0, final | opText, 0}, ErrFragment},
	} {
		tracker := NewTracker(FromService, false)
		if _, err := follow(&tracker, tt.bytes, 1); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	tracker := NewTracker(FromClient, false)
	if _, err := follow(&tracker, []byte{final | opText, 1}, 1); !errors.Is(err, ErrMask) {
		t.Errorf("a client that doesn't mask: %v", err)
	}
}

func TestReservedBitsAreAnAgreedExtensionsOwn(t *testing.T) {
	tracker := NewTracker(FromService, true)
	if _, err := follow(&tracker, frame(final|0x40|opText, 10, FromService), 1); err != nil {
		t.Errorf("a compressed message: %v", err)
	}
	if _, err := tracker.Advance([]byte{final | 0x40 | opPing}); !errors.Is(err, ErrReserved) {
		t.Errorf("a control frame: %v", err)
	}
}

func TestACloseFrameIsOneAndTheLast(t *testing.T) {
	for _, by := range []Direction{FromClient, FromService} {
		b := AppendClose(nil, by, PolicyBroken)
		tracker := NewTracker(by, false)
		ends, err := follow(&tracker, b, 1)
		if err != nil || len(ends) != 1 || !tracker.Closed() {
			t.Fatalf("% x: ends %v, %v, closed %t", b, ends, err, tracker.Closed())
		}
		payload := bytes.Clone(b[len(b)-2:])
		if by == FromClient {
			payload[0] ^= b[2]
			payload[1] ^= b[3]
		}
		if code := binary.BigEndian.Uint16(payload); code != PolicyBroken {
			t.Errorf("code %d", code)
		}
	}
}

// FuzzTracker: in whatever pieces bytes come, frames end at the same places, and the same byte breaks the rules.
func FuzzTracker(f *testing.F) {
	f.Add(frame(final|opBinary, 300, FromService), uint8(3), false, false)
	f.Add(frame(final|opText, 5, FromClient), uint8(1), true, true)
	f.Add(AppendClose(nil, FromService, GoingAway), uint8(2), false, false)
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8, fromClient, extended bool) {
		size := int(piece) + 1
		whole, pieces := NewTracker(Direction(fromClient), extended), NewTracker(Direction(fromClient), extended)
		ends, err := follow(&whole, stream, len(stream)+1)
		inPieces, errPieces := follow(&pieces, stream, size)
		if !errors.Is(errPieces, err) {
			t.Fatalf("%v in one piece, %v in pieces of %d", err, errPieces, size)
		}
		if len(ends) != len(inPieces) {
			t.Fatalf("ends %v in one piece, %v in pieces of %d", ends, inPieces, size)
		}
		for i := range ends {
			if ends[i] != inPieces[i] {
				t.Fatalf("ends %v in one piece, %v in pieces of %d", ends, inPieces, size)
			}
		}
	})
}
