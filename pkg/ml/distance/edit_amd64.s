#include "textflag.h"

// Eight bit-parallel tables of edit distances, four in each of two registers, over a text:
// plainColumns in edit.go says what is computed.
//
// Y0, Y1: plus; Y2, Y3: minus; Y15: all ones. For one half: match in M, then D diagonal, A along, G
// against.
//   D = (((M & P) + P) ^ P) | M | N
//   A = N | ^(D | P)      G = D & P
//   A = A<<1 | 1          G = G<<1
//   P = G | ^(D | A)      N = A & D
#define STEP(offset, M, P, N, D, A, G) \
	VMOVDQU offset(R8), M; \
	VPAND   M, P, D; \
	VPOR    M, N, M; \
	VPADDQ  D, P, D; \
	VPXOR   D, P, D; \
	VPOR    D, M, D; \
	VPOR    D, P, A; \
	VPAND   D, P, G; \
	VPXOR   A, Y15, A; \
	VPOR    A, N, A; \
	VPADDQ  A, A, A; \
	VPSUBQ  Y15, A, A; \
	VPADDQ  G, G, G; \
	VPAND   A, D, N; \
	VPOR    A, D, D; \
	VPXOR   D, Y15, D; \
	VPOR    D, G, P

// func editColumnsAVX2(masks *[8]uint64, text *int32, n int, plus, minus *[8]uint64)
TEXT ·editColumnsAVX2(SB), NOSPLIT, $0-40
	MOVQ    masks+0(FP), DI
	MOVQ    text+8(FP), SI
	MOVQ    n+16(FP), CX
	MOVQ    plus+24(FP), R10
	MOVQ    minus+32(FP), R11
	VMOVDQU (R10), Y0
	VMOVDQU 32(R10), Y1
	VMOVDQU (R11), Y2
	VMOVDQU 32(R11), Y3
	VPCMPEQD Y15, Y15, Y15

loop:
	MOVLQSX (SI), R8
	SHLQ    $6, R8
	ADDQ    DI, R8
	STEP(0, Y4, Y0, Y2, Y5, Y6, Y7)
	STEP(32, Y8, Y1, Y3, Y9, Y10, Y11)
	ADDQ    $4, SI
	DECQ    CX
	JG      loop
	VMOVDQU Y0, (R10)
	VMOVDQU Y1, 32(R10)
	VMOVDQU Y2, (R11)
	VMOVDQU Y3, 32(R11)
	VZEROUPPER
	RET
