#include "textflag.h"

// The constants of expAVX2: 1/k! for k from 13 down to 0.
DATA exponential<>+0(SB)/8, $1.6059043836821613e-10
DATA exponential<>+8(SB)/8, $2.08767569878681e-09
DATA exponential<>+16(SB)/8, $2.505210838544172e-08
DATA exponential<>+24(SB)/8, $2.755731922398589e-07
DATA exponential<>+32(SB)/8, $2.7557319223985893e-06
DATA exponential<>+40(SB)/8, $2.48015873015873e-05
DATA exponential<>+48(SB)/8, $0.0001984126984126984
DATA exponential<>+56(SB)/8, $0.001388888888888889
DATA exponential<>+64(SB)/8, $0.008333333333333333
DATA exponential<>+72(SB)/8, $0.041666666666666664
DATA exponential<>+80(SB)/8, $0.16666666666666666
DATA exponential<>+88(SB)/8, $0.5
DATA exponential<>+96(SB)/8, $1.0
DATA exponential<>+104(SB)/8, $1.0
DATA exponential<>+112(SB)/8, $1.4426950408889634 // 1/ln 2
DATA exponential<>+120(SB)/8, $0.6931471805599453 // ln 2
DATA exponential<>+128(SB)/8, $2.3190468138462996e-17 // ln 2, what is missing
DATA exponential<>+136(SB)/8, $710.0 // e to this and more is Inf
DATA exponential<>+144(SB)/8, $-750.0 // e to this and less is 0
DATA exponential<>+152(SB)/8, $0x000003ff000003ff
GLOBL exponential<>(SB), RODATA|NOPTR, $160

#define HORNER(OFF) \
	VBROADCASTSD exponential<>+OFF(SB), Y4; \
	VFMADD213PD Y4, Y2, Y3

// func expAVX2(dst, src *float64, n int)
//
// n is a multiple of 4. x = k·ln 2 + r with |r| ≤ ½ ln 2; the series of e to the r, whose rest
// after r¹³ is below 2⁻⁵⁸; times 2ᵏ in two steps, as k may lie outside the exponents of normal
// numbers.
TEXT ·expAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	VBROADCASTSD exponential<>+112(SB), Y15
	VBROADCASTSD exponential<>+120(SB), Y14
	VBROADCASTSD exponential<>+128(SB), Y13
	VBROADCASTSD exponential<>+136(SB), Y12
	VBROADCASTSD exponential<>+144(SB), Y11
	VBROADCASTSD exponential<>+152(SB), Y10
	VBROADCASTSD exponential<>+0(SB), Y9

loop:
	VMOVUPD (SI), Y0
	VMINPD Y0, Y12, Y0 // this way round NaN stays
	VMAXPD Y0, Y11, Y0
	VMULPD Y0, Y15, Y1
	VROUNDPD $8, Y1, Y1
	VMOVAPD Y0, Y2
	VFNMADD231PD Y14, Y1, Y2
	VFNMADD231PD Y13, Y1, Y2
	VMOVAPD Y9, Y3
	HORNER(8)
	HORNER(16)
	HORNER(24)
	HORNER(32)
	HORNER(40)
	HORNER(48)
	HORNER(56)
	HORNER(64)
	HORNER(72)
	HORNER(80)
	HORNER(88)
	HORNER(96)
	HORNER(104)
	VCVTPD2DQY Y1, X5
	VPSRAD $1, X5, X6
	VPSUBD X6, X5, X7
	VPADDD X10, X6, X6
	VPADDD X10, X7, X7
	VPMOVZXDQ X6, Y6
	VPMOVZXDQ X7, Y7
	VPSLLQ $52, Y6, Y6
	VPSLLQ $52, Y7, Y7
	VMULPD Y6, Y3, Y3
	VMULPD Y7, Y3, Y3
	VMOVUPD Y3, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $4, CX
	JG   loop
	VZEROUPPER
	RET

// The constants of logAVX2: 2/(2k+1) for k from 11 down to 1.
DATA logarithm<>+0(SB)/8, $0.08695652173913043
DATA logarithm<>+8(SB)/8, $0.09523809523809523
DATA logarithm<>+16(SB)/8, $0.10526315789473684
DATA logarithm<>+24(SB)/8, $0.11764705882352941
DATA logarithm<>+32(SB)/8, $0.13333333333333333
DATA logarithm<>+40(SB)/8, $0.15384615384615385
DATA logarithm<>+48(SB)/8, $0.18181818181818182
DATA logarithm<>+56(SB)/8, $0.2222222222222222
DATA logarithm<>+64(SB)/8, $0.2857142857142857
DATA logarithm<>+72(SB)/8, $0.4
DATA logarithm<>+80(SB)/8, $0.6666666666666666
DATA logarithm<>+88(SB)/8, $1.0
DATA logarithm<>+96(SB)/8, $2.0
DATA logarithm<>+104(SB)/8, $0.5
DATA logarithm<>+112(SB)/8, $6.93147180369123816490e-01 // ln 2 to 32 bits, so that k times it is exact
DATA logarithm<>+120(SB)/8, $1.90821492927058770002e-10 // ln 2, what is missing
DATA logarithm<>+128(SB)/8, $0x0010000000000000 // least normal number
DATA logarithm<>+136(SB)/8, $0x7ff0000000000000 // Inf
DATA logarithm<>+144(SB)/8, $0x3fe6a09e00000000 // √½, somewhat below
DATA logarithm<>+152(SB)/8, $0x4000000000000000 // 1024 in the exponent's place
DATA logarithm<>+160(SB)/8, $0x4330000000000000 // 2⁵²: a number below it, put into its last bits, can be taken off as a float64
DATA logarithm<>+168(SB)/8, $4503599627371520.0 // 2⁵² + 1024
GLOBL logarithm<>(SB), RODATA|NOPTR, $176

#define SERIES(OFF) \
	VBROADCASTSD logarithm<>+OFF(SB), Y7; \
	VFMADD213PD Y7, Y5, Y6

// func logAVX2(dst, src *float64, n int) (done int)
//
// n is a multiple of 4. Stops at four numbers of which one is not positive, normal and finite.
// x = 2ᵏ(1+f) with 1+f between √½ and √2; s = f/(2+f), log(1+f) = 2·artanh(s), arranged as
// f − (f²/2 − s·(f²/2 + R)) with R = 2s²/3 + 2s⁴/5 + …
TEXT ·logAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ n+16(FP), CX
	XORQ AX, AX
	VBROADCASTSD logarithm<>+88(SB), Y15
	VBROADCASTSD logarithm<>+128(SB), Y14
	VBROADCASTSD logarithm<>+136(SB), Y13
	VBROADCASTSD logarithm<>+144(SB), Y12
	VBROADCASTSD logarithm<>+152(SB), Y11
	VBROADCASTSD logarithm<>+160(SB), Y10
	VBROADCASTSD logarithm<>+168(SB), Y9

loop:
	CMPQ AX, CX
	JGE  done
	VMOVUPD (SI)(AX*8), Y0
	VPCMPGTQ Y0, Y14, Y1 // 1 where the least normal number is greater
	VPCMPGTQ Y0, Y13, Y2 // 1 where Inf is greater
	VPANDN Y2, Y1, Y1
	VMOVMSKPD Y1, BX
	CMPL BX, $15
	JNE  done
	VPSUBQ Y12, Y0, Y1
	VPADDQ Y11, Y1, Y1
	VPSRLQ $52, Y1, Y1   // k + 1024
	VPSLLQ $52, Y1, Y2
	VPSUBQ Y11, Y2, Y2
	VPSUBQ Y2, Y0, Y0    // 1 + f
	VPOR Y10, Y1, Y1
	VSUBPD Y9, Y1, Y1    // k
	VSUBPD Y15, Y0, Y2   // f
	VBROADCASTSD logarithm<>+96(SB), Y3
	VADDPD Y3, Y2, Y3
	VDIVPD Y3, Y2, Y4    // s
	VMULPD Y4, Y4, Y5    // s²
	VBROADCASTSD logarithm<>+0(SB), Y6
	SERIES(8)
	SERIES(16)
	SERIES(24)
	SERIES(32)
	SERIES(40)
	SERIES(48)
	SERIES(56)
	SERIES(64)
	SERIES(72)
	SERIES(80)
	VMULPD Y5, Y6, Y6    // R
	VBROADCASTSD logarithm<>+104(SB), Y7
	VMULPD Y2, Y7, Y7
	VMULPD Y2, Y7, Y7    // f²/2
	VADDPD Y7, Y6, Y6
	VBROADCASTSD logarithm<>+120(SB), Y8
	VMULPD Y1, Y8, Y8
	VFMADD231PD Y4, Y6, Y8
	VSUBPD Y8, Y7, Y7
	VSUBPD Y2, Y7, Y7
	VBROADCASTSD logarithm<>+112(SB), Y8
	VFMSUB213PD Y7, Y8, Y1
	VMOVUPD Y1, (DI)(AX*8)
	ADDQ $4, AX
	JMP  loop

done:
	MOVQ AX, done+24(FP)
	VZEROUPPER
	RET
