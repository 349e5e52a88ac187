#include "textflag.h"

// func kernel4x12(k int, a, b, c *float64, ldc int)
//
// Adds to a tile of C, 4 rows of 12 columns, the product of a packed panel of A (k columns of 4) and one of B (k rows of 12). Each element of the
// tile is one chain of fused multiply-adds over k. Twelve accumulators, three registers for a row of B, one for a broadcast of A.
TEXT ·kernel4x12(SB), NOSPLIT, $0-40
	MOVQ k+0(FP), CX
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DI
	MOVQ c+24(FP), DX
	MOVQ ldc+32(FP), BX
	SHLQ $3, BX
	VXORPD Y4, Y4, Y4
	VXORPD Y5, Y5, Y5
	VXORPD Y6, Y6, Y6
	VXORPD Y7, Y7, Y7
	VXORPD Y8, Y8, Y8
	VXORPD Y9, Y9, Y9
	VXORPD Y10, Y10, Y10
	VXORPD Y11, Y11, Y11
	VXORPD Y12, Y12, Y12
	VXORPD Y13, Y13, Y13
	VXORPD Y14, Y14, Y14
	VXORPD Y15, Y15, Y15
	TESTQ CX, CX
	JLE  done

#define STEP(AO, BO) \
	VMOVUPD BO+0(DI), Y0; \
	VMOVUPD BO+32(DI), Y1; \
	VMOVUPD BO+64(DI), Y2; \
	VBROADCASTSD AO+0(SI), Y3; \
	VFMADD231PD Y0, Y3, Y4; \
	VFMADD231PD Y1, Y3, Y5; \
	VFMADD231PD Y2, Y3, Y6; \
	VBROADCASTSD AO+8(SI), Y3; \
	VFMADD231PD Y0, Y3, Y7; \
	VFMADD231PD Y1, Y3, Y8; \
	VFMADD231PD Y2, Y3, Y9; \
	VBROADCASTSD AO+16(SI), Y3; \
	VFMADD231PD Y0, Y3, Y10; \
	VFMADD231PD Y1, Y3, Y11; \
	VFMADD231PD Y2, Y3, Y12; \
	VBROADCASTSD AO+24(SI), Y3; \
	VFMADD231PD Y0, Y3, Y13; \
	VFMADD231PD Y1, Y3, Y14; \
	VFMADD231PD Y2, Y3, Y15

	SUBQ $4, CX
	JLT  rest

loop4:
	PREFETCHT0 768(DI)
	PREFETCHT0 832(DI)
	PREFETCHT0 896(DI)
	STEP(0, 0)
	STEP(32, 96)
	PREFETCHT0 960(DI)
	PREFETCHT0 1024(DI)
	PREFETCHT0 1088(DI)
	STEP(64, 192)
	STEP(96, 288)
	ADDQ $128, SI
	ADDQ $384, DI
	SUBQ $4, CX
	JGE  loop4

rest:
	ADDQ $4, CX
	JLE  done

loop1:
	STEP(0, 0)
	ADDQ $32, SI
	ADDQ $96, DI
	DECQ CX
	JG   loop1

done:
	VADDPD 0(DX), Y4, Y4
	VADDPD 32(DX), Y5, Y5
	VADDPD 64(DX), Y6, Y6
	VMOVUPD Y4, 0(DX)
	VMOVUPD Y5, 32(DX)
	VMOVUPD Y6, 64(DX)
	ADDQ BX, DX
	VADDPD 0(DX), Y7, Y7
	VADDPD 32(DX), Y8, Y8
	VADDPD 64(DX), Y9, Y9
	VMOVUPD Y7, 0(DX)
	VMOVUPD Y8, 32(DX)
	VMOVUPD Y9, 64(DX)
	ADDQ BX, DX
	VADDPD 0(DX), Y10, Y10
	VADDPD 32(DX), Y11, Y11
	VADDPD 64(DX), Y12, Y12
	VMOVUPD Y10, 0(DX)
	VMOVUPD Y11, 32(DX)
	VMOVUPD Y12, 64(DX)
	ADDQ BX, DX
	VADDPD 0(DX), Y13, Y13
	VADDPD 32(DX), Y14, Y14
	VADDPD 64(DX), Y15, Y15
	VMOVUPD Y13, 0(DX)
	VMOVUPD Y14, 32(DX)
	VMOVUPD Y15, 64(DX)
	VZEROUPPER
	RET

// A mask for the last one, two or three numbers: four words of it, begun 8·remainder bytes before the end of the ones.
DATA mask<>+0(SB)/8, $-1
DATA mask<>+8(SB)/8, $-1
DATA mask<>+16(SB)/8, $-1
DATA mask<>+24(SB)/8, $0
DATA mask<>+32(SB)/8, $0
DATA mask<>+40(SB)/8, $0
GLOBL mask<>(SB), RODATA|NOPTR, $48

// Loads into Y8 the mask for CX numbers, 1 to 3.
#define LOADMASK \
	LEAQ mask<>(SB), AX; \
	NEGQ CX; \
	VMOVUPD 24(AX)(CX*8), Y8

// Sums the four registers Y0..Y3 into X0, in the order that sum16 in Go follows.
#define SUM16 \
	VADDPD Y1, Y0, Y0; \
	VADDPD Y3, Y2, Y2; \
	VADDPD Y2, Y0, Y0; \
	VEXTRACTF128 $1, Y0, X1; \
	VADDPD X1, X0, X0; \
	VHADDPD X0, X0, X0

// func dotAVX2(a, b *float64, n int) float64
//
// Sixteen partial sums; what is left over goes to the first four, then, masked, to the second.
TEXT ·dotAVX2(SB), NOSPLIT, $0-32
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3

dotloop:
	CMPQ CX, $16
	JLT  dotdone
	VMOVUPD 0(SI), Y4
	VMOVUPD 32(SI), Y5
	VMOVUPD 64(SI), Y6
	VMOVUPD 96(SI), Y7
	VFMADD231PD 0(DI), Y4, Y0
	VFMADD231PD 32(DI), Y5, Y1
	VFMADD231PD 64(DI), Y6, Y2
	VFMADD231PD 96(DI), Y7, Y3
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $16, CX
	JMP  dotloop

dotdone:
	CMPQ CX, $4
	JLT  dottail
	VMOVUPD 0(SI), Y4
	VFMADD231PD 0(DI), Y4, Y0
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $4, CX
	JMP  dotdone

dottail:
	TESTQ CX, CX
	JE   dotsum
	LOADMASK
	VMASKMOVPD 0(SI), Y8, Y4
	VMASKMOVPD 0(DI), Y8, Y5
	VFMADD231PD Y5, Y4, Y1

dotsum:
	SUM16
	VMOVSD X0, ret+24(FP)
	VZEROUPPER
	RET

// func sqEuclideanAVX2(a, b *float64, n int) float64
//
// In the order of dotAVX2.
TEXT ·sqEuclideanAVX2(SB), NOSPLIT, $0-32
	MOVQ a+0(FP), SI
	MOVQ b+8(FP), DI
	MOVQ n+16(FP), CX
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3

sqloop:
	CMPQ CX, $16
	JLT  sqdone
	VMOVUPD 0(SI), Y4
	VMOVUPD 32(SI), Y5
	VMOVUPD 64(SI), Y6
	VMOVUPD 96(SI), Y7
	VSUBPD 0(DI), Y4, Y4
	VSUBPD 32(DI), Y5, Y5
	VSUBPD 64(DI), Y6, Y6
	VSUBPD 96(DI), Y7, Y7
	VFMADD231PD Y4, Y4, Y0
	VFMADD231PD Y5, Y5, Y1
	VFMADD231PD Y6, Y6, Y2
	VFMADD231PD Y7, Y7, Y3
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $16, CX
	JMP  sqloop

sqdone:
	CMPQ CX, $4
	JLT  sqtail
	VMOVUPD 0(SI), Y4
	VSUBPD 0(DI), Y4, Y4
	VFMADD231PD Y4, Y4, Y0
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $4, CX
	JMP  sqdone

sqtail:
	TESTQ CX, CX
	JE   sqsum
	LOADMASK
	VMASKMOVPD 0(SI), Y8, Y4
	VMASKMOVPD 0(DI), Y8, Y5
	VSUBPD Y5, Y4, Y4
	VFMADD231PD Y4, Y4, Y1

sqsum:
	SUM16
	VMOVSD X0, ret+24(FP)
	VZEROUPPER
	RET
