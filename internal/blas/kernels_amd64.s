#include "textflag.h"

// The kernels of the matrix product. Each adds to a tile of C (or, with add = 0, sets it to) the
// product of a packed panel of A, k steps of 4 or 8 numbers, and one of B, k steps of as many
// numbers as the tile is wide. An element of the tile is one chain of fused multiply-adds over k,
// so that all kernels give the same bits.
//
// SI: A, DI: B, DX: C, BX: bytes between rows of C, CX: steps, AX: add.

#define ARGS \
	MOVQ k+0(FP), CX; \
	MOVQ a+8(FP), SI; \
	MOVQ b+16(FP), DI; \
	MOVQ c+24(FP), DX; \
	MOVQ ldc+32(FP), BX; \
	MOVQ add+40(FP), AX; \
	SHLQ $3, BX

#define ZERO4(A, B, C, D) \
	VXORPD A, A, A; \
	VXORPD B, B, B; \
	VXORPD C, C, C; \
	VXORPD D, D, D

// One row of the tile for one step: 3, 2 or 1 registers wide.
#define ROW3(OFF, V, B0, B1, B2, A0, A1, A2) \
	VBROADCASTSD OFF(SI), V; \
	VFMADD231PD B0, V, A0; \
	VFMADD231PD B1, V, A1; \
	VFMADD231PD B2, V, A2

#define ROW2(OFF, V, B0, B1, A0, A1) \
	VBROADCASTSD OFF(SI), V; \
	VFMADD231PD B0, V, A0; \
	VFMADD231PD B1, V, A1

#define ROW1(OFF, V, B0, A0) \
	VBROADCASTSD OFF(SI), V; \
	VFMADD231PD B0, V, A0

// Adds a row of C to its accumulators, and goes on to the next row.
#define ADD3(O1, O2, A0, A1, A2) \
	VADDPD 0(DX), A0, A0; \
	VADDPD O1(DX), A1, A1; \
	VADDPD O2(DX), A2, A2; \
	ADDQ BX, DX

#define ADD2(O1, A0, A1) \
	VADDPD 0(DX), A0, A0; \
	VADDPD O1(DX), A1, A1; \
	ADDQ BX, DX

#define ADD1(A0) \
	VADDPD 0(DX), A0, A0; \
	ADDQ BX, DX

#define STORE3(O1, O2, A0, A1, A2) \
	VMOVUPD A0, 0(DX); \
	VMOVUPD A1, O1(DX); \
	VMOVUPD A2, O2(DX); \
	ADDQ BX, DX

#define STORE2(O1, A0, A1) \
	VMOVUPD A0, 0(DX); \
	VMOVUPD A1, O1(DX); \
	ADDQ BX, DX

#define STORE1(A0) \
	VMOVUPD A0, 0(DX); \
	ADDQ BX, DX

// func kernel4x12(k int, a, b, c *float64, ldc, add int)
TEXT ·kernel4x12(SB), NOSPLIT, $0-48
	ARGS
	LEAQ (DX)(BX*2), R8
	PREFETCHT0 (DX)
	PREFETCHT0 88(DX)
	PREFETCHT0 (DX)(BX*1)
	PREFETCHT0 88(DX)(BX*1)
	PREFETCHT0 (R8)
	PREFETCHT0 88(R8)
	PREFETCHT0 (R8)(BX*1)
	PREFETCHT0 88(R8)(BX*1)
	ZERO4(Y4, Y5, Y6, Y7)
	ZERO4(Y8, Y9, Y10, Y11)
	ZERO4(Y12, Y13, Y14, Y15)

#define STEP4X12(AO, BO) \
	VMOVUPD BO+0(DI), Y0; \
	VMOVUPD BO+32(DI), Y1; \
	VMOVUPD BO+64(DI), Y2; \
	ROW3(AO+0, Y3, Y0, Y1, Y2, Y4, Y5, Y6); \
	ROW3(AO+8, Y3, Y0, Y1, Y2, Y7, Y8, Y9); \
	ROW3(AO+16, Y3, Y0, Y1, Y2, Y10, Y11, Y12); \
	ROW3(AO+24, Y3, Y0, Y1, Y2, Y13, Y14, Y15)

	SUBQ $4, CX
	JLT  rest

loop4:
	STEP4X12(0, 0)
	STEP4X12(32, 96)
	STEP4X12(64, 192)
	STEP4X12(96, 288)
	ADDQ $128, SI
	ADDQ $384, DI
	SUBQ $4, CX
	JGE  loop4

rest:
	ADDQ $4, CX
	JLE  done

loop1:
	STEP4X12(0, 0)
	ADDQ $32, SI
	ADDQ $96, DI
	DECQ CX
	JG   loop1

done:
	TESTQ AX, AX
	JEQ  store
	MOVQ DX, AX
	ADD3(32, 64, Y4, Y5, Y6)
	ADD3(32, 64, Y7, Y8, Y9)
	ADD3(32, 64, Y10, Y11, Y12)
	ADD3(32, 64, Y13, Y14, Y15)
	MOVQ AX, DX

store:
	STORE3(32, 64, Y4, Y5, Y6)
	STORE3(32, 64, Y7, Y8, Y9)
	STORE3(32, 64, Y10, Y11, Y12)
	STORE3(32, 64, Y13, Y14, Y15)
	VZEROUPPER
	RET

// func kernel4x8(k int, a, b, c *float64, ldc, add int)
TEXT ·kernel4x8(SB), NOSPLIT, $0-48
	ARGS
	ZERO4(Y4, Y5, Y6, Y7)
	ZERO4(Y8, Y9, Y10, Y11)
	TESTQ CX, CX
	JLE  done

loop:
	VMOVUPD 0(DI), Y0
	VMOVUPD 32(DI), Y1
	ROW2(0, Y3, Y0, Y1, Y4, Y5)
	ROW2(8, Y3, Y0, Y1, Y6, Y7)
	ROW2(16, Y3, Y0, Y1, Y8, Y9)
	ROW2(24, Y3, Y0, Y1, Y10, Y11)
	ADDQ $32, SI
	ADDQ $64, DI
	DECQ CX
	JG   loop

done:
	TESTQ AX, AX
	JEQ  store
	MOVQ DX, AX
	ADD2(32, Y4, Y5)
	ADD2(32, Y6, Y7)
	ADD2(32, Y8, Y9)
	ADD2(32, Y10, Y11)
	MOVQ AX, DX

store:
	STORE2(32, Y4, Y5)
	STORE2(32, Y6, Y7)
	STORE2(32, Y8, Y9)
	STORE2(32, Y10, Y11)
	VZEROUPPER
	RET

// func kernel4x4(k int, a, b, c *float64, ldc, add int)
TEXT ·kernel4x4(SB), NOSPLIT, $0-48
	ARGS
	ZERO4(Y4, Y5, Y6, Y7)
	TESTQ CX, CX
	JLE  done

loop:
	VMOVUPD 0(DI), Y0
	ROW1(0, Y3, Y0, Y4)
	ROW1(8, Y3, Y0, Y5)
	ROW1(16, Y3, Y0, Y6)
	ROW1(24, Y3, Y0, Y7)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JG   loop

done:
	TESTQ AX, AX
	JEQ  store
	MOVQ DX, AX
	ADD1(Y4)
	ADD1(Y5)
	ADD1(Y6)
	ADD1(Y7)
	MOVQ AX, DX

store:
	STORE1(Y4)
	STORE1(Y5)
	STORE1(Y6)
	STORE1(Y7)
	VZEROUPPER
	RET

#define ZEROZ4(A, B, C, D) \
	VPXORQ A, A, A; \
	VPXORQ B, B, B; \
	VPXORQ C, C, C; \
	VPXORQ D, D, D

// func kernel8x24(k int, a, b, c *float64, ldc, add int)
TEXT ·kernel8x24(SB), NOSPLIT, $0-48
	ARGS
	MOVQ DX, R8
	MOVQ $8, R9

fetch:
	PREFETCHT0 (R8)
	PREFETCHT0 64(R8)
	PREFETCHT0 128(R8)
	PREFETCHT0 184(R8)
	ADDQ BX, R8
	DECQ R9
	JG   fetch
	ZEROZ4(Z8, Z9, Z10, Z11)
	ZEROZ4(Z12, Z13, Z14, Z15)
	ZEROZ4(Z16, Z17, Z18, Z19)
	ZEROZ4(Z20, Z21, Z22, Z23)
	ZEROZ4(Z24, Z25, Z26, Z27)
	ZEROZ4(Z28, Z29, Z30, Z31)
	TESTQ CX, CX
	JLE  done

loop:
	VMOVUPD 0(DI), Z0
	VMOVUPD 64(DI), Z1
	VMOVUPD 128(DI), Z2
	PREFETCHT0 1536(DI)
	PREFETCHT0 1600(DI)
	PREFETCHT0 1664(DI)
	ROW3(0, Z3, Z0, Z1, Z2, Z8, Z9, Z10)
	ROW3(8, Z4, Z0, Z1, Z2, Z11, Z12, Z13)
	ROW3(16, Z5, Z0, Z1, Z2, Z14, Z15, Z16)
	ROW3(24, Z6, Z0, Z1, Z2, Z17, Z18, Z19)
	ROW3(32, Z3, Z0, Z1, Z2, Z20, Z21, Z22)
	ROW3(40, Z4, Z0, Z1, Z2, Z23, Z24, Z25)
	ROW3(48, Z5, Z0, Z1, Z2, Z26, Z27, Z28)
	ROW3(56, Z6, Z0, Z1, Z2, Z29, Z30, Z31)
	ADDQ $64, SI
	ADDQ $192, DI
	DECQ CX
	JG   loop

done:
	TESTQ AX, AX
	JEQ  store
	MOVQ DX, AX
	ADD3(64, 128, Z8, Z9, Z10)
	ADD3(64, 128, Z11, Z12, Z13)
	ADD3(64, 128, Z14, Z15, Z16)
	ADD3(64, 128, Z17, Z18, Z19)
	ADD3(64, 128, Z20, Z21, Z22)
	ADD3(64, 128, Z23, Z24, Z25)
	ADD3(64, 128, Z26, Z27, Z28)
	ADD3(64, 128, Z29, Z30, Z31)
	MOVQ AX, DX

store:
	STORE3(64, 128, Z8, Z9, Z10)
	STORE3(64, 128, Z11, Z12, Z13)
	STORE3(64, 128, Z14, Z15, Z16)
	STORE3(64, 128, Z17, Z18, Z19)
	STORE3(64, 128, Z20, Z21, Z22)
	STORE3(64, 128, Z23, Z24, Z25)
	STORE3(64, 128, Z26, Z27, Z28)
	STORE3(64, 128, Z29, Z30, Z31)
	VZEROUPPER
	RET

// func kernel8x16(k int, a, b, c *float64, ldc, add int)
TEXT ·kernel8x16(SB), NOSPLIT, $0-48
	ARGS
	ZEROZ4(Z8, Z9, Z10, Z11)
	ZEROZ4(Z12, Z13, Z14, Z15)
	ZEROZ4(Z16, Z17, Z18, Z19)
	ZEROZ4(Z20, Z21, Z22, Z23)
	TESTQ CX, CX
	JLE  done

loop:
	VMOVUPD 0(DI), Z0
	VMOVUPD 64(DI), Z1
	ROW2(0, Z3, Z0, Z1, Z8, Z9)
	ROW2(8, Z4, Z0, Z1, Z10, Z11)
	ROW2(16, Z5, Z0, Z1, Z12, Z13)
	ROW2(24, Z6, Z0, Z1, Z14, Z15)
	ROW2(32, Z3, Z0, Z1, Z16, Z17)
	ROW2(40, Z4, Z0, Z1, Z18, Z19)
	ROW2(48, Z5, Z0, Z1, Z20, Z21)
	ROW2(56, Z6, Z0, Z1, Z22, Z23)
	ADDQ $64, SI
	ADDQ $128, DI
	DECQ CX
	JG   loop

done:
	TESTQ AX, AX
	JEQ  store
	MOVQ DX, AX
	ADD2(64, Z8, Z9)
	ADD2(64, Z10, Z11)
	ADD2(64, Z12, Z13)
	ADD2(64, Z14, Z15)
	ADD2(64, Z16, Z17)
	ADD2(64, Z18, Z19)
	ADD2(64, Z20, Z21)
	ADD2(64, Z22, Z23)
	MOVQ AX, DX

store:
	STORE2(64, Z8, Z9)
	STORE2(64, Z10, Z11)
	STORE2(64, Z12, Z13)
	STORE2(64, Z14, Z15)
	STORE2(64, Z16, Z17)
	STORE2(64, Z18, Z19)
	STORE2(64, Z20, Z21)
	STORE2(64, Z22, Z23)
	VZEROUPPER
	RET

// func kernel8x8(k int, a, b, c *float64, ldc, add int)
TEXT ·kernel8x8(SB), NOSPLIT, $0-48
	ARGS
	ZEROZ4(Z8, Z9, Z10, Z11)
	ZEROZ4(Z12, Z13, Z14, Z15)
	TESTQ CX, CX
	JLE  done

loop:
	VMOVUPD 0(DI), Z0
	ROW1(0, Z3, Z0, Z8)
	ROW1(8, Z4, Z0, Z9)
	ROW1(16, Z5, Z0, Z10)
	ROW1(24, Z6, Z0, Z11)
	ROW1(32, Z3, Z0, Z12)
	ROW1(40, Z4, Z0, Z13)
	ROW1(48, Z5, Z0, Z14)
	ROW1(56, Z6, Z0, Z15)
	ADDQ $64, SI
	ADDQ $64, DI
	DECQ CX
	JG   loop

done:
	TESTQ AX, AX
	JEQ  store
	MOVQ DX, AX
	ADD1(Z8)
	ADD1(Z9)
	ADD1(Z10)
	ADD1(Z11)
	ADD1(Z12)
	ADD1(Z13)
	ADD1(Z14)
	ADD1(Z15)
	MOVQ AX, DX

store:
	STORE1(Z8)
	STORE1(Z9)
	STORE1(Z10)
	STORE1(Z11)
	STORE1(Z12)
	STORE1(Z13)
	STORE1(Z14)
	STORE1(Z15)
	VZEROUPPER
	RET

// func packAlong(dst *float64, width int, src *float64, ld, k int, alpha float64)
//
// Four rows of src, ld apart, times alpha, become four columns of dst, whose rows are width apart:
// a transposition, 4 by 4 numbers at a time.
TEXT ·packAlong(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ width+8(FP), DX
	MOVQ src+16(FP), SI
	MOVQ ld+24(FP), BX
	MOVQ k+32(FP), CX
	VBROADCASTSD alpha+40(FP), Y15
	SHLQ $3, DX
	SHLQ $3, BX
	LEAQ (SI)(BX*1), R8
	LEAQ (SI)(BX*2), R9
	LEAQ (R8)(BX*2), R10
	LEAQ (DX)(DX*2), R11
	SUBQ $4, CX
	JLT  rest

loop4:
	VMULPD (SI), Y15, Y0
	VMULPD (R8), Y15, Y1
	VMULPD (R9), Y15, Y2
	VMULPD (R10), Y15, Y3
	VUNPCKLPD Y1, Y0, Y4
	VUNPCKHPD Y1, Y0, Y5
	VUNPCKLPD Y3, Y2, Y6
	VUNPCKHPD Y3, Y2, Y7
	VPERM2F128 $0x20, Y6, Y4, Y0
	VPERM2F128 $0x20, Y7, Y5, Y1
	VPERM2F128 $0x31, Y6, Y4, Y2
	VPERM2F128 $0x31, Y7, Y5, Y3
	VMOVUPD Y0, (DI)
	VMOVUPD Y1, (DI)(DX*1)
	VMOVUPD Y2, (DI)(DX*2)
	VMOVUPD Y3, (DI)(R11*1)
	ADDQ $32, SI
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	LEAQ (DI)(DX*4), DI
	SUBQ $4, CX
	JGE  loop4

rest:
	ADDQ $4, CX
	JLE  done

loop1:
	VMULSD (SI), X15, X0
	VMULSD (R8), X15, X1
	VMULSD (R9), X15, X2
	VMULSD (R10), X15, X3
	VMOVSD X0, (DI)
	VMOVSD X1, 8(DI)
	VMOVSD X2, 16(DI)
	VMOVSD X3, 24(DI)
	ADDQ $8, SI
	ADDQ $8, R8
	ADDQ $8, R9
	ADDQ $8, R10
	ADDQ DX, DI
	DECQ CX
	JG   loop1

done:
	VZEROUPPER
	RET

// func packAcross(dst *float64, width int, src *float64, ld, k, fours int, alpha float64)
//
// k rows of src, ld apart, of 4·fours numbers, times alpha, become rows of dst, width apart.
TEXT ·packAcross(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ width+8(FP), DX
	MOVQ src+16(FP), SI
	MOVQ ld+24(FP), BX
	MOVQ k+32(FP), CX
	MOVQ fours+40(FP), R8
	VBROADCASTSD alpha+48(FP), Y15
	SHLQ $3, DX
	SHLQ $3, BX
	SHLQ $5, R8
	TESTQ CX, CX
	JLE  done

row:
	XORQ R9, R9

four:
	VMULPD (SI)(R9*1), Y15, Y0
	VMOVUPD Y0, (DI)(R9*1)
	ADDQ $32, R9
	CMPQ R9, R8
	JLT  four
	ADDQ BX, SI
	ADDQ DX, DI
	DECQ CX
	JG   row

done:
	VZEROUPPER
	RET
