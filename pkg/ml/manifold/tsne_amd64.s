#include "textflag.h"

// Four points: q in Q, the sums in Z, FX, FY. Y0, Y1 hold the point, Y2 ones.
#define FOUR(offset, DX, DY, Q, Z, FX, FY) \
	VSUBPD offset(SI), Y0, DX; \
	VSUBPD offset(DI), Y1, DY; \
	VMOVAPD Y2, Q; \
	VFMADD231PD DX, DX, Q; \
	VFMADD231PD DY, DY, Q; \
	VDIVPD Q, Y2, Q; \
	VADDPD Q, Z, Z; \
	VMULPD Q, Q, Q; \
	VFMADD231PD Q, DX, FX; \
	VFMADD231PD Q, DY, FY

// func repelAVX2(n int, x, y float64, xs, ys *float64, sums *[12]float64)
TEXT ·repelAVX2(SB), NOSPLIT, $0-48
	MOVQ n+0(FP), CX
	VBROADCASTSD x+8(FP), Y0
	VBROADCASTSD y+16(FP), Y1
	MOVQ xs+24(FP), SI
	MOVQ ys+32(FP), DI
	MOVQ sums+40(FP), DX
	MOVQ $0x3ff0000000000000, AX
	VMOVQ AX, X2
	VBROADCASTSD X2, Y2
	VXORPD Y3, Y3, Y3
	VXORPD Y4, Y4, Y4
	VXORPD Y5, Y5, Y5
	VXORPD Y6, Y6, Y6
	VXORPD Y7, Y7, Y7
	VXORPD Y8, Y8, Y8

loop:
	FOUR(0, Y9, Y10, Y11, Y3, Y4, Y5)
	FOUR(32, Y12, Y13, Y14, Y6, Y7, Y8)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $8, CX
	JG   loop
	VADDPD Y6, Y3, Y3
	VADDPD Y7, Y4, Y4
	VADDPD Y8, Y5, Y5
	VMOVUPD Y3, (DX)
	VMOVUPD Y4, 32(DX)
	VMOVUPD Y5, 64(DX)
	VZEROUPPER
	RET
