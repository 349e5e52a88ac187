#include "textflag.h"

// One vector against m rows. Sixteen partial sums, then groups of four onto the first four of them,
// the sum of all, then what is left one by one.
//
// R12: dst, SI: a, R8: first row, CX: n, BX: bytes between rows, R9: rows left. In a row, AX is the
// place in it and DI the row.
#define ROWS_ARGS \
	MOVQ dst+0(FP), R12; \
	MOVQ a+8(FP), SI; \
	MOVQ rows+16(FP), DI; \
	MOVQ n+24(FP), CX; \
	MOVQ stride+32(FP), BX; \
	MOVQ m+40(FP), R9; \
	SHLQ $3, BX; \
	MOVQ CX, R10; \
	ANDQ $~15, R10; \
	MOVQ CX, R11; \
	ANDQ $~3, R11

// FOUR(offset, register, accumulator) takes four elements, FOLD sums Y0..Y3 into X0, ONE takes one
// element.
#define ROWS_BODY(FOUR, FOLD, ONE) \
row: \
	VXORPD Y0, Y0, Y0; \
	VXORPD Y1, Y1, Y1; \
	VXORPD Y2, Y2, Y2; \
	VXORPD Y3, Y3, Y3; \
	XORQ AX, AX; \
	JMP  test16; \
loop16: \
	FOUR(0, Y4, Y0); \
	FOUR(32, Y5, Y1); \
	FOUR(64, Y6, Y2); \
	FOUR(96, Y7, Y3); \
	ADDQ $16, AX; \
test16: \
	CMPQ AX, R10; \
	JLT  loop16; \
	JMP  test4; \
loop4: \
	FOUR(0, Y4, Y0); \
	ADDQ $4, AX; \
test4: \
	CMPQ AX, R11; \
	JLT  loop4; \
	FOLD; \
	JMP  test1; \
loop1: \
	ONE; \
	INCQ AX; \
test1: \
	CMPQ AX, CX; \
	JLT  loop1; \
	VMOVSD X0, (R12); \
	ADDQ $8, R12; \
	ADDQ BX, DI; \
	DECQ R9; \
	JG   row; \
	VZEROUPPER; \
	RET

#define SUM \
	VADDPD Y1, Y0, Y0; \
	VADDPD Y3, Y2, Y2; \
	VADDPD Y2, Y0, Y0; \
	VEXTRACTF128 $1, Y0, X1; \
	VADDPD X1, X0, X0; \
	VPERMILPD $1, X0, X1; \
	VADDSD X1, X0, X0

#define MAXIMUM \
	VMAXPD Y1, Y0, Y0; \
	VMAXPD Y3, Y2, Y2; \
	VMAXPD Y2, Y0, Y0; \
	VEXTRACTF128 $1, Y0, X1; \
	VMAXPD X1, X0, X0; \
	VPERMILPD $1, X0, X1; \
	VMAXSD X1, X0, X0

#define DOT_FOUR(OFF, V, ACC) \
	VMOVUPD OFF(SI)(AX*8), V; \
	VFMADD231PD OFF(DI)(AX*8), V, ACC

#define DOT_ONE \
	VMOVSD (SI)(AX*8), X4; \
	VFMADD231SD (DI)(AX*8), X4, X0

#define SQUARE_FOUR(OFF, V, ACC) \
	VMOVUPD OFF(SI)(AX*8), V; \
	VSUBPD OFF(DI)(AX*8), V, V; \
	VFMADD231PD V, V, ACC

#define SQUARE_ONE \
	VMOVSD (SI)(AX*8), X4; \
	VSUBSD (DI)(AX*8), X4, X4; \
	VFMADD231SD X4, X4, X0

#define ABS_FOUR(OFF, V, ACC) \
	VMOVUPD OFF(SI)(AX*8), V; \
	VSUBPD OFF(DI)(AX*8), V, V; \
	VANDPD V, Y15, V; \
	VADDPD V, ACC, ACC

#define ABS_ONE \
	VMOVSD (SI)(AX*8), X4; \
	VSUBSD (DI)(AX*8), X4, X4; \
	VANDPD X4, X15, X4; \
	VADDSD X4, X0, X0

#define MAX_FOUR(OFF, V, ACC) \
	VMOVUPD OFF(SI)(AX*8), V; \
	VSUBPD OFF(DI)(AX*8), V, V; \
	VANDPD V, Y15, V; \
	VMAXPD V, ACC, ACC

#define MAX_ONE \
	VMOVSD (SI)(AX*8), X4; \
	VSUBSD (DI)(AX*8), X4, X4; \
	VANDPD X4, X15, X4; \
	VMAXSD X4, X0, X0

// Y15: all bits but the sign.
#define ABS_MASK \
	VPCMPEQQ Y15, Y15, Y15; \
	VPSRLQ $1, Y15, Y15

// func dotRowsAVX2(dst, a, rows *float64, n, stride, m int)
TEXT ·dotRowsAVX2(SB), NOSPLIT, $0-48
	ROWS_ARGS
	ROWS_BODY(DOT_FOUR, SUM, DOT_ONE)

// func sqEuclideanRowsAVX2(dst, a, rows *float64, n, stride, m int)
TEXT ·sqEuclideanRowsAVX2(SB), NOSPLIT, $0-48
	ROWS_ARGS
	ROWS_BODY(SQUARE_FOUR, SUM, SQUARE_ONE)

// func manhattanRowsAVX2(dst, a, rows *float64, n, stride, m int)
TEXT ·manhattanRowsAVX2(SB), NOSPLIT, $0-48
	ROWS_ARGS
	ABS_MASK
	ROWS_BODY(ABS_FOUR, SUM, ABS_ONE)

// func chebyshevRowsAVX2(dst, a, rows *float64, n, stride, m int)
TEXT ·chebyshevRowsAVX2(SB), NOSPLIT, $0-48
	ROWS_ARGS
	ABS_MASK
	ROWS_BODY(MAX_FOUR, MAXIMUM, MAX_ONE)

// func axpyAVX2(n int, alpha float64, x, y *float64)
TEXT ·axpyAVX2(SB), NOSPLIT, $0-32
	MOVQ n+0(FP), CX
	VBROADCASTSD alpha+8(FP), Y15
	MOVQ x+16(FP), SI
	MOVQ y+24(FP), DI
	SUBQ $16, CX
	JLT  rest16

loop16:
	VMOVUPD 0(DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD 64(DI), Y2
	VMOVUPD 96(DI), Y3
	VFMADD231PD 0(SI), Y15, Y0
	VFMADD231PD 32(SI), Y15, Y1
	VFMADD231PD 64(SI), Y15, Y2
	VFMADD231PD 96(SI), Y15, Y3
	VMOVUPD Y0, 0(DI)
	VMOVUPD Y1, 32(DI)
	VMOVUPD Y2, 64(DI)
	VMOVUPD Y3, 96(DI)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $16, CX
	JGE  loop16

rest16:
	ADDQ $12, CX
	JLT  rest4

loop4:
	VMOVUPD 0(DI), Y0
	VFMADD231PD 0(SI), Y15, Y0
	VMOVUPD Y0, 0(DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $4, CX
	JGE  loop4

rest4:
	ADDQ $4, CX
	JLE  done

loop1:
	VMOVSD 0(DI), X0
	VFMADD231SD 0(SI), X15, X0
	VMOVSD X0, 0(DI)
	ADDQ $8, SI
	ADDQ $8, DI
	DECQ CX
	JG   loop1

done:
	VZEROUPPER
	RET

// func rotAVX2(n int, x, y *float64, c, s float64)
//
// x becomes c·x + s·y, y becomes c·y − s·x.
TEXT ·rotAVX2(SB), NOSPLIT, $0-40
	MOVQ n+0(FP), CX
	MOVQ x+8(FP), SI
	MOVQ y+16(FP), DI
	VBROADCASTSD c+24(FP), Y14
	VBROADCASTSD s+32(FP), Y15
	SUBQ $8, CX
	JLT  rest

loop8:
	VMOVUPD 0(SI), Y0
	VMOVUPD 32(SI), Y1
	VMOVUPD 0(DI), Y2
	VMOVUPD 32(DI), Y3
	VMULPD Y2, Y15, Y4
	VMULPD Y3, Y15, Y5
	VMULPD Y0, Y15, Y6
	VMULPD Y1, Y15, Y7
	VFMADD231PD Y0, Y14, Y4
	VFMADD231PD Y1, Y14, Y5
	VFMSUB231PD Y2, Y14, Y6
	VFMSUB231PD Y3, Y14, Y7
	VMOVUPD Y4, 0(SI)
	VMOVUPD Y5, 32(SI)
	VMOVUPD Y6, 0(DI)
	VMOVUPD Y7, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $8, CX
	JGE  loop8

rest:
	ADDQ $8, CX
	JLE  done

loop1:
	VMOVSD 0(SI), X0
	VMOVSD 0(DI), X2
	VMULSD X2, X15, X4
	VMULSD X0, X15, X6
	VFMADD231SD X0, X14, X4
	VFMSUB231SD X2, X14, X6
	VMOVSD X4, 0(SI)
	VMOVSD X6, 0(DI)
	ADDQ $8, SI
	ADDQ $8, DI
	DECQ CX
	JG   loop1

done:
	VZEROUPPER
	RET

// func dotAxpyAVX2(n int, a, x *float64, alpha float64, y *float64) float64
//
// Adds alpha·a to y and returns the dot product of a and x, reading a once.
TEXT ·dotAxpyAVX2(SB), NOSPLIT, $0-48
	MOVQ n+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ x+16(FP), DX
	VBROADCASTSD alpha+24(FP), Y15
	MOVQ y+32(FP), DI
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3
	SUBQ $16, CX
	JLT  rest16

loop16:
	VMOVUPD 0(SI), Y4
	VMOVUPD 32(SI), Y5
	VMOVUPD 64(SI), Y6
	VMOVUPD 96(SI), Y7
	VMOVUPD 0(DI), Y8
	VMOVUPD 32(DI), Y9
	VMOVUPD 64(DI), Y10
	VMOVUPD 96(DI), Y11
	VFMADD231PD 0(DX), Y4, Y0
	VFMADD231PD 32(DX), Y5, Y1
	VFMADD231PD 64(DX), Y6, Y2
	VFMADD231PD 96(DX), Y7, Y3
	VFMADD231PD Y4, Y15, Y8
	VFMADD231PD Y5, Y15, Y9
	VFMADD231PD Y6, Y15, Y10
	VFMADD231PD Y7, Y15, Y11
	VMOVUPD Y8, 0(DI)
	VMOVUPD Y9, 32(DI)
	VMOVUPD Y10, 64(DI)
	VMOVUPD Y11, 96(DI)
	ADDQ $128, SI
	ADDQ $128, DX
	ADDQ $128, DI
	SUBQ $16, CX
	JGE  loop16

rest16:
	ADDQ $12, CX
	JLT  rest4

loop4:
	VMOVUPD 0(SI), Y4
	VMOVUPD 0(DI), Y8
	VFMADD231PD 0(DX), Y4, Y0
	VFMADD231PD Y4, Y15, Y8
	VMOVUPD Y8, 0(DI)
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, DI
	SUBQ $4, CX
	JGE  loop4

rest4:
	SUM
	ADDQ $4, CX
	JLE  done

loop1:
	VMOVSD 0(SI), X4
	VMOVSD 0(DI), X8
	VFMADD231SD 0(DX), X4, X0
	VFMADD231SD X4, X15, X8
	VMOVSD X8, 0(DI)
	ADDQ $8, SI
	ADDQ $8, DX
	ADDQ $8, DI
	DECQ CX
	JG   loop1

done:
	VMOVSD X0, ret+40(FP)
	VZEROUPPER
	RET

// func combineAVX2(m, n int, coef, rows *float64, stride int, y *float64)
//
// Adds to the n numbers of y the sum of m rows times their coefficients, 32 columns at a time in
// registers.
TEXT ·combineAVX2(SB), NOSPLIT, $0-48
	MOVQ m+0(FP), R8
	MOVQ n+8(FP), CX
	MOVQ coef+16(FP), R9
	MOVQ rows+24(FP), SI
	MOVQ stride+32(FP), BX
	MOVQ y+40(FP), DI
	SHLQ $3, BX
	SUBQ $32, CX
	JLT  rest32

loop32:
	VMOVUPD 0(DI), Y0
	VMOVUPD 32(DI), Y1
	VMOVUPD 64(DI), Y2
	VMOVUPD 96(DI), Y3
	VMOVUPD 128(DI), Y4
	VMOVUPD 160(DI), Y5
	VMOVUPD 192(DI), Y6
	VMOVUPD 224(DI), Y7
	MOVQ SI, R10
	XORQ AX, AX

row32:
	VBROADCASTSD (R9)(AX*8), Y8
	VFMADD231PD 0(R10), Y8, Y0
	VFMADD231PD 32(R10), Y8, Y1
	VFMADD231PD 64(R10), Y8, Y2
	VFMADD231PD 96(R10), Y8, Y3
	VFMADD231PD 128(R10), Y8, Y4
	VFMADD231PD 160(R10), Y8, Y5
	VFMADD231PD 192(R10), Y8, Y6
	VFMADD231PD 224(R10), Y8, Y7
	ADDQ BX, R10
	INCQ AX
	CMPQ AX, R8
	JLT  row32
	VMOVUPD Y0, 0(DI)
	VMOVUPD Y1, 32(DI)
	VMOVUPD Y2, 64(DI)
	VMOVUPD Y3, 96(DI)
	VMOVUPD Y4, 128(DI)
	VMOVUPD Y5, 160(DI)
	VMOVUPD Y6, 192(DI)
	VMOVUPD Y7, 224(DI)
	ADDQ $256, SI
	ADDQ $256, DI
	SUBQ $32, CX
	JGE  loop32

rest32:
	ADDQ $28, CX
	JLT  rest4

loop4:
	VMOVUPD 0(DI), Y0
	MOVQ SI, R10
	XORQ AX, AX

row4:
	VBROADCASTSD (R9)(AX*8), Y8
	VFMADD231PD 0(R10), Y8, Y0
	ADDQ BX, R10
	INCQ AX
	CMPQ AX, R8
	JLT  row4
	VMOVUPD Y0, 0(DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $4, CX
	JGE  loop4

rest4:
	ADDQ $4, CX
	JLE  done

loop1:
	VMOVSD 0(DI), X0
	MOVQ SI, R10
	XORQ AX, AX

row1:
	VMOVSD (R9)(AX*8), X8
	VFMADD231SD 0(R10), X8, X0
	ADDQ BX, R10
	INCQ AX
	CMPQ AX, R8
	JLT  row1
	VMOVSD X0, 0(DI)
	ADDQ $8, SI
	ADDQ $8, DI
	DECQ CX
	JG   loop1

done:
	VZEROUPPER
	RET

DATA least<>+0(SB)/8, $0.0
DATA least<>+8(SB)/8, $1.0
DATA least<>+16(SB)/8, $2.0
DATA least<>+24(SB)/8, $3.0
DATA least<>+32(SB)/8, $4.0
DATA least<>+40(SB)/8, $0x7ff0000000000000
GLOBL least<>(SB), RODATA|NOPTR, $48

// func leastTwoAVX2(half, score *float64, n int, lanes *[12]float64)
//
// n is a multiple of 4. Y0: least of each lane, Y1: next, Y2: where the least was, Y3: where this
// is.
TEXT ·leastTwoAVX2(SB), NOSPLIT, $0-32
	MOVQ half+0(FP), SI
	MOVQ score+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ lanes+24(FP), DX
	VBROADCASTSD least<>+40(SB), Y0
	VMOVAPD Y0, Y1
	VXORPD Y2, Y2, Y2
	VMOVUPD least<>+0(SB), Y3
	VBROADCASTSD least<>+32(SB), Y4

loop:
	VMOVUPD (SI), Y5
	VSUBPD (DI), Y5, Y5
	VMOVUPD Y5, (DI)
	VCMPPD $1, Y0, Y5, Y6
	VMAXPD Y0, Y5, Y7
	VMINPD Y7, Y1, Y1
	VBLENDVPD Y6, Y3, Y2, Y2
	VMINPD Y5, Y0, Y0
	VADDPD Y4, Y3, Y3
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $4, CX
	JG   loop
	VMOVUPD Y0, 0(DX)
	VMOVUPD Y1, 32(DX)
	VMOVUPD Y2, 64(DX)
	VZEROUPPER
	RET

// func firstBelowAVX2(s *float64, n int, bound float64) int
//
// n is a multiple of 16. The answer is the start of the first sixteen among which one is below the
// bound, or n.
TEXT ·firstBelowAVX2(SB), NOSPLIT, $0-32
	MOVQ s+0(FP), SI
	MOVQ n+8(FP), CX
	VBROADCASTSD bound+16(FP), Y0
	XORQ AX, AX

loop:
	VMOVUPD (SI)(AX*8), Y1
	VMOVUPD 32(SI)(AX*8), Y2
	VMOVUPD 64(SI)(AX*8), Y3
	VMOVUPD 96(SI)(AX*8), Y4
	VCMPPD $1, Y0, Y1, Y1
	VCMPPD $1, Y0, Y2, Y2
	VCMPPD $1, Y0, Y3, Y3
	VCMPPD $1, Y0, Y4, Y4
	VORPD Y1, Y2, Y1
	VORPD Y3, Y4, Y3
	VORPD Y1, Y3, Y1
	VMOVMSKPD Y1, DX
	TESTL DX, DX
	JNE  done
	ADDQ $16, AX
	CMPQ AX, CX
	JLT  loop

done:
	MOVQ AX, ret+24(FP)
	VZEROUPPER
	RET
