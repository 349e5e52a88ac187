#include "textflag.h"

// func radix4AVX2(xr, xi *float64, in int, yr, yi *float64, width int, w *[6]float64)
// width is a multiple of 4.
TEXT ·radix4AVX2(SB), NOSPLIT, $0-56
	MOVQ xr+0(FP), SI
	MOVQ xi+8(FP), DI
	MOVQ in+16(FP), R8
	MOVQ yr+24(FP), R10
	MOVQ yi+32(FP), R11
	MOVQ width+40(FP), CX
	MOVQ w+48(FP), DX
	LEAQ (R8)(R8*2), R9  // 3·in
	MOVQ CX, R12
	SHLQ $3, R12         // bytes from output to output
	LEAQ (R12)(R12*2), R13
	VBROADCASTSD (DX), Y10
	VBROADCASTSD 8(DX), Y11
	VBROADCASTSD 16(DX), Y12
	VBROADCASTSD 24(DX), Y13
	VBROADCASTSD 32(DX), Y14
	VBROADCASTSD 40(DX), Y15

loop:
	VMOVUPD (SI), Y0
	VMOVUPD (SI)(R8*1), Y1
	VMOVUPD (SI)(R8*2), Y2
	VMOVUPD (SI)(R9*1), Y3
	VADDPD  Y2, Y0, Y4   // s0 = a + c
	VADDPD  Y3, Y1, Y5   // s1 = b + d
	VSUBPD  Y2, Y0, Y6   // t0 = a − c
	VSUBPD  Y3, Y1, Y7   // t1 = b − d
	VADDPD  Y5, Y4, Y0   // s0 + s1
	VSUBPD  Y5, Y4, Y4   // s0 − s1
	VMOVUPD Y0, (R10)
	VMOVUPD (DI), Y0
	VMOVUPD (DI)(R8*1), Y1
	VMOVUPD (DI)(R8*2), Y2
	VMOVUPD (DI)(R9*1), Y3
	VADDPD  Y2, Y0, Y5   // u0
	VADDPD  Y3, Y1, Y8   // u1
	VSUBPD  Y2, Y0, Y0   // v0
	VSUBPD  Y3, Y1, Y1   // v1
	VADDPD  Y8, Y5, Y2
	VSUBPD  Y8, Y5, Y5   // u0 − u1
	VMOVUPD Y2, (R11)

	// second output: (t0 + v1, v0 − t1) times the first factor
	VADDPD  Y1, Y6, Y2
	VSUBPD  Y7, Y0, Y3
	VMULPD  Y11, Y3, Y8
	VMULPD  Y10, Y3, Y9
	VFMSUB231PD Y10, Y2, Y8 // r·wr − i·wi
	VFMADD231PD Y11, Y2, Y9
	VMOVUPD Y8, (R10)(R12*1)
	VMOVUPD Y9, (R11)(R12*1)

	// third: (s0 − s1, u0 − u1)
	VMULPD  Y13, Y5, Y8
	VMULPD  Y12, Y5, Y9
	VFMSUB231PD Y12, Y4, Y8
	VFMADD231PD Y13, Y4, Y9
	VMOVUPD Y8, (R10)(R12*2)
	VMOVUPD Y9, (R11)(R12*2)

	// fourth: (t0 − v1, v0 + t1)
	VSUBPD  Y1, Y6, Y2
	VADDPD  Y7, Y0, Y3
	VMULPD  Y15, Y3, Y8
	VMULPD  Y14, Y3, Y9
	VFMSUB231PD Y14, Y2, Y8
	VFMADD231PD Y15, Y2, Y9
	VMOVUPD Y8, (R10)(R13*1)
	VMOVUPD Y9, (R11)(R13*1)

	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, R10
	ADDQ $32, R11
	SUBQ $4, CX
	JG   loop
	VZEROUPPER
	RET
