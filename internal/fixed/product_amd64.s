#include "textflag.h"

// y_k += Σ_j x_j w_jk, eight k in the lanes of a register: each y_k gets its products in the order
// of j, every one rounded before it is added, as plainProduct does.

// ROW adds a row's part at CX to Y4. X is its x in all lanes.
#define ROW(W, X) \
	VMULPS (W)(CX*1), X, Y5; \
	VADDPS Y5, Y4, Y4

// REST is ROW for the last columns, those that the mask in Y15 lets through.
#define REST(W, X) \
	VMASKMOVPS (W)(CX*1), Y15, Y5; \
	VMULPS Y5, X, Y5; \
	VADDPS Y5, Y4, Y4

// func addProductAVX2(y *float32, n int, x *float32, rows int, w *float32, mask *int32)
TEXT ·addProductAVX2(SB), NOSPLIT, $0-48
	MOVQ y+0(FP), DI
	MOVQ n+8(FP), R9
	MOVQ x+16(FP), SI
	MOVQ rows+24(FP), DX
	MOVQ w+32(FP), BX
	MOVQ mask+40(FP), R8
	VMOVDQU (R8), Y15
	MOVQ R9, R10
	ANDQ $~7, R10
	MOVQ R9, R11
	SUBQ R10, R11 // columns that are left over
	SHLQ $2, R9   // bytes of a row
	SHLQ $2, R10  // of its eights

four:
	CMPQ DX, $4
	JLT  one
	VBROADCASTSS (SI), Y0
	VBROADCASTSS 4(SI), Y1
	VBROADCASTSS 8(SI), Y2
	VBROADCASTSS 12(SI), Y3
	LEAQ (BX)(R9*1), R12
	LEAQ (R12)(R9*1), R13
	LEAQ (R13)(R9*1), AX
	XORQ CX, CX
	JMP  fourMore

fourLoop:
	VMOVUPS (DI)(CX*1), Y4
	ROW(BX, Y0)
	ROW(R12, Y1)
	ROW(R13, Y2)
	ROW(AX, Y3)
	VMOVUPS Y4, (DI)(CX*1)
	ADDQ $32, CX

fourMore:
	CMPQ CX, R10
	JLT  fourLoop
	TESTQ R11, R11
	JZ   fourNext
	VMASKMOVPS (DI)(CX*1), Y15, Y4
	REST(BX, Y0)
	REST(R12, Y1)
	REST(R13, Y2)
	REST(AX, Y3)
	VMASKMOVPS Y4, Y15, (DI)(CX*1)

fourNext:
	LEAQ (AX)(R9*1), BX
	ADDQ $16, SI
	SUBQ $4, DX
	JMP  four

one:
	TESTQ DX, DX
	JZ   done
	VBROADCASTSS (SI), Y0
	XORQ CX, CX
	JMP  oneMore

oneLoop:
	VMOVUPS (DI)(CX*1), Y4
	ROW(BX, Y0)
	VMOVUPS Y4, (DI)(CX*1)
	ADDQ $32, CX

oneMore:
	CMPQ CX, R10
	JLT  oneLoop
	TESTQ R11, R11
	JZ   oneNext
	VMASKMOVPS (DI)(CX*1), Y15, Y4
	REST(BX, Y0)
	VMASKMOVPS Y4, Y15, (DI)(CX*1)

oneNext:
	ADDQ R9, BX
	ADDQ $4, SI
	DECQ DX
	JMP  one

done:
	VZEROUPPER
	RET
