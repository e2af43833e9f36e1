package spool

import "math/bits"

// Record is what is kept of one answered request.
type Record struct {
	// TimeMs is when it was answered, in milliseconds since 1970.
	TimeMs int64
	// Route, Consumer and Credential are ids; zero: none.
	Route, Consumer, Credential [16]byte
	// Status of the answer.
	Status uint16
	// Verdict on it.
	Verdict string
	// RequestBytes and ResponseBytes are of the bodies.
	RequestBytes, ResponseBytes uint64
	// DurationUs is how long it took, in microseconds.
	DurationUs uint64
}

const (
	// recordWords are the words of a record; the last one commits it.
	recordWords = 11
	commitWord  = recordWords - 1
	wordBytes   = 8
	// timeBits are what time and duration have; the rest of their words is the status, or the verdict.
	timeBits = 48
	timeMask = 1<<timeBits - 1
)

// Odd constants that spread bits: the fractional parts of square roots.
const (
	spread0 = 0x6a09e667f3bcc909
	spread1 = 0xbb67ae8584caa73b
	spread2 = 0x3c6ef372fe94f82b
	spread3 = 0xa54ff53a5f1d36f1
	spread4 = 0x510e527fade682d1
)

// commitOf is the checksum of a record at a place: its words but the last, its stripe and position, and the file's own number. It is
// never 0, which is what a file is made of.
func commitOf(w *[recordWords]uint64, salt, stripe, position uint64) uint64 {
	a := mix(w[0]^spread0^salt, w[1]^spread1^position)
	b := mix(w[2]^spread1^position, w[3]^spread2^salt)
	c := mix(w[4]^spread2^salt, w[5]^spread3^stripe)
	d := mix(w[6]^spread3^position, w[7]^spread4^salt)
	e := mix(w[8]^spread4^salt, w[9]^spread0^stripe)
	return mix(mix(a^spread1, b)^mix(c^spread2, d), e^salt^position^spread3) | 1
}

func mix(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low ^ a ^ bits.RotateLeft64(b, 32)
}

// pack fills all words but the last.
func (r *Record) pack(w *[recordWords]uint64, verdict uint16) {
	w[0] = uint64(r.TimeMs)&timeMask | uint64(r.Status)<<timeBits
	w[1], w[2] = half(&r.Route, 0), half(&r.Route, wordBytes)
	w[3], w[4] = half(&r.Consumer, 0), half(&r.Consumer, wordBytes)
	w[5], w[6] = half(&r.Credential, 0), half(&r.Credential, wordBytes)
	w[7], w[8] = r.RequestBytes, r.ResponseBytes
	w[9] = min(r.DurationUs, timeMask) | uint64(verdict)<<timeBits
}

// unpack is pack's other way; the verdict comes back as its number.
func (r *Record) unpack(w *[recordWords]uint64) (verdict uint16) {
	r.TimeMs, r.Status = int64(w[0]&timeMask), uint16(w[0]>>timeBits)
	setHalf(&r.Route, 0, w[1])
	setHalf(&r.Route, wordBytes, w[2])
	setHalf(&r.Consumer, 0, w[3])
	setHalf(&r.Consumer, wordBytes, w[4])
	setHalf(&r.Credential, 0, w[5])
	setHalf(&r.Credential, wordBytes, w[6])
	r.RequestBytes, r.ResponseBytes = w[7], w[8]
	r.DurationUs = w[9] & timeMask
	return uint16(w[9] >> timeBits)
}

func half(id *[16]byte, at int) uint64 { return order.Uint64(id[at : at+wordBytes]) }

func setHalf(id *[16]byte, at int, w uint64) { order.PutUint64(id[at:at+wordBytes], w) }
