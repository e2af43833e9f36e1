package jwk

import (
	"encoding/hex"
	"math/big"
	"slices"
)

// rocaPrimes are those by which moduli of the ROCA kind give themselves away: modulo each, they are a power of 65537. Of good moduli, not
// one in a hundred million is modulo all of them (Nemec et al., The Return of Coppersmith's Attack, CCS 2017).
var rocaPrimes = []int64{
	3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151,
	157, 163, 167,
}

func isROCA(n *big.Int) bool {
	var quotient, rest big.Int
	for _, p := range rocaPrimes {
		quotient.QuoRem(n, big.NewInt(p), &rest)
		if !isPower(rest.Int64(), p) {
			return false
		}
	}
	return true
}

// isPower tells whether r is a power of 65537 modulo p.
func isPower(r, p int64) bool {
	power := int64(1)
	for {
		if power == r {
			return true
		}
		if power = power * (65537 % p) % p; power == 1 {
			return false
		}
	}
}

// smallOrder are the encodings of the points whose order divides 8, but for the sign of x in the last bit: 0 and its like by one, those of
// order 8, the one of order 2, and the same numbers with the field's prime added.
var smallOrder = decodePoints(
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)

func decodePoints(texts ...string) [][]byte {
	points := make([][]byte, len(texts))
	for i, text := range texts {
		point, err := hex.DecodeString(text)
		if err != nil {
			panic(err) // a typo above
		}
		points[i] = point
	}
	return points
}

func isSmallOrder(point []byte) bool {
	last := len(point) - 1
	return slices.ContainsFunc(smallOrder, func(small []byte) bool {
		return slices.Equal(point[:last], small[:last]) && point[last]&0x7f == small[last]
	})
}
