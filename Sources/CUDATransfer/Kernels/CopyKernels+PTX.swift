// lmcache · SPDX-License-Identifier: Apache-2.0

// Made by scripts/build-kernels from copy_kernels.cu; do not edit.
// swift-format-ignore-file

extension CopyKernels {
    /// SHA-256 of the CUDA source that the text below was made from.
    static let sourceDigest = "ad7513e1fc4640dc59eaa4a9add9e275fb07e45083672bb70fac79abe70dd869"

    /// NVRTC 12.0.140, compute_70; the driver compiles it for the card at hand.
    static let ptx = #"""
.version 8.0
.target sm_70
.address_size 64
	// .globl	lmc_gather
.visible .entry lmc_gather(
	.param .u64 lmc_gather_param_0,
	.param .u32 lmc_gather_param_1,
	.param .u64 lmc_gather_param_2
)
.maxntid 1024, 1, 1
{
	.reg .pred 	%p<29>;
	.reg .b16 	%rs<5>;
	.reg .b32 	%r<125>;
	.reg .b64 	%rd<87>;
	ld.param.u64 	%rd9, [lmc_gather_param_0];
	ld.param.u32 	%r42, [lmc_gather_param_1];
	ld.param.u64 	%rd10, [lmc_gather_param_2];
	mov.u32 	%r116, %ctaid.x;
	setp.ge.u32 	%p1, %r116, %r42;
	@%p1 bra 	$L__BB0_35;
	mov.u32 	%r2, %tid.x;
	mov.u32 	%r3, %ntid.x;
	cvta.to.global.u64 	%rd11, %rd9;
	cvta.to.global.u64 	%rd14, %rd10;
$L__BB0_2:
	mul.wide.u32 	%rd12, %r116, 24;
	add.s64 	%rd13, %rd11, %rd12;
	ld.global.u64 	%rd1, [%rd13];
	ld.global.u64 	%rd2, [%rd13+8];
	ld.global.v2.u32 	{%r43, %r44}, [%rd13+16];
	setp.eq.s32 	%p2, %r44, -1;
	@%p2 bra 	$L__BB0_14;
	mul.wide.u32 	%rd15, %r44, 32;
	add.s64 	%rd16, %rd14, %rd15;
	ld.global.u32 	%r7, [%rd16];
	ld.global.u32 	%r8, [%rd16+4];
	ld.global.u32 	%r9, [%rd16+8];
	cvt.u64.u32 	%rd17, %r9;
	or.b64  	%rd18, %rd2, %rd1;
	or.b64  	%rd19, %rd18, %rd17;
	ld.global.u32 	%rd3, [%rd16+12];
	or.b64  	%rd20, %rd19, %rd3;
	ld.global.u32 	%rd4, [%rd16+16];
	or.b64  	%rd5, %rd20, %rd4;
	and.b64  	%rd21, %rd5, 15;
	setp.eq.s64 	%p3, %rd21, 0;
	@%p3 bra 	$L__BB0_11;
	and.b64  	%rd22, %rd5, 3;
	setp.eq.s64 	%p4, %rd22, 0;
	@%p4 bra 	$L__BB0_8;
	mul.lo.s32 	%r45, %r8, %r7;
	mul.lo.s32 	%r10, %r45, %r9;
	setp.ge.u32 	%p5, %r2, %r10;
	@%p5 bra 	$L__BB0_34;
	mov.u32 	%r117, %r2;
$L__BB0_7:
	.pragma "nounroll";
	div.u32 	%r46, %r117, %r9;
	mul.lo.s32 	%r47, %r46, %r9;
	sub.s32 	%r48, %r117, %r47;
	div.u32 	%r49, %r46, %r8;
	mul.lo.s32 	%r50, %r49, %r8;
	sub.s32 	%r51, %r46, %r50;
	cvt.u64.u32 	%rd23, %r49;
	mul.lo.s64 	%rd24, %rd23, %rd3;
	cvt.u64.u32 	%rd25, %r51;
	mul.lo.s64 	%rd26, %rd25, %rd4;
	cvt.u64.u32 	%rd27, %r48;
	add.s64 	%rd28, %rd24, %rd27;
	add.s64 	%rd29, %rd28, %rd26;
	add.s64 	%rd30, %rd1, %rd29;
	cvt.u64.u32 	%rd31, %r117;
	add.s64 	%rd32, %rd2, %rd31;
	ld.u8 	%rs1, [%rd30];
	st.u8 	[%rd32], %rs1;
	add.s32 	%r117, %r117, %r3;
	setp.lt.u32 	%p6, %r117, %r10;
	@%p6 bra 	$L__BB0_7;
	bra.uni 	$L__BB0_34;
$L__BB0_14:
	xor.b64  	%rd53, %rd2, %rd1;
	and.b64  	%rd6, %rd53, 15;
	setp.eq.s64 	%p11, %rd6, 0;
	and.b64  	%rd54, %rd53, 3;
	setp.eq.s64 	%p12, %rd54, 0;
	selp.b32 	%r75, 4, 1, %p12;
	selp.b32 	%r21, 16, %r75, %p11;
	add.s32 	%r76, %r21, -1;
	cvt.u32.u64 	%r77, %rd1;
	and.b32  	%r78, %r76, %r77;
	sub.s32 	%r79, %r21, %r78;
	and.b32  	%r80, %r79, %r76;
	min.u32 	%r22, %r80, %r43;
	setp.ge.u32 	%p13, %r2, %r22;
	@%p13 bra 	$L__BB0_17;
	mov.u32 	%r120, %r2;
$L__BB0_16:
	.pragma "nounroll";
	cvt.u64.u32 	%rd55, %r120;
	add.s64 	%rd56, %rd1, %rd55;
	add.s64 	%rd57, %rd2, %rd55;
	ld.u8 	%rs2, [%rd56];
	st.u8 	[%rd57], %rs2;
	add.s32 	%r120, %r120, %r3;
	setp.lt.u32 	%p14, %r120, %r22;
	@%p14 bra 	$L__BB0_16;
$L__BB0_17:
	cvt.u64.u32 	%rd7, %r22;
	neg.s32 	%r81, %r21;
	sub.s32 	%r25, %r43, %r22;
	and.b32  	%r26, %r25, %r81;
	@%p11 bra 	$L__BB0_25;
	setp.eq.s32 	%p16, %r21, 4;
	@%p16 bra 	$L__BB0_22;
	bra.uni 	$L__BB0_19;
$L__BB0_22:
	shr.u32 	%r29, %r26, 2;
	setp.ge.u32 	%p19, %r2, %r29;
	@%p19 bra 	$L__BB0_31;
	mov.u32 	%r122, %r2;
$L__BB0_24:
	.pragma "nounroll";
	mul.wide.u32 	%rd62, %r122, 4;
	add.s64 	%rd63, %rd62, %rd7;
	add.s64 	%rd64, %rd1, %rd63;
	add.s64 	%rd65, %rd2, %rd63;
	ld.u32 	%r82, [%rd64];
	st.u32 	[%rd65], %r82;
	add.s32 	%r122, %r122, %r3;
	setp.lt.u32 	%p20, %r122, %r29;
	@%p20 bra 	$L__BB0_24;
	bra.uni 	$L__BB0_31;
$L__BB0_11:
	shr.u32 	%r17, %r9, 4;
	mul.lo.s32 	%r60, %r8, %r7;
	mul.lo.s32 	%r18, %r60, %r17;
	setp.ge.u32 	%p9, %r2, %r18;
	@%p9 bra 	$L__BB0_34;
	mov.u32 	%r119, %r2;
$L__BB0_13:
	.pragma "nounroll";
	div.u32 	%r61, %r119, %r17;
	mul.lo.s32 	%r62, %r61, %r17;
	sub.s32 	%r63, %r119, %r62;
	div.u32 	%r64, %r61, %r8;
	mul.lo.s32 	%r65, %r64, %r8;
	sub.s32 	%r66, %r61, %r65;
	cvt.u64.u32 	%rd43, %r64;
	mul.lo.s64 	%rd44, %rd43, %rd3;
	cvt.u64.u32 	%rd45, %r66;
	mul.lo.s64 	%rd46, %rd45, %rd4;
	mul.wide.u32 	%rd47, %r63, 16;
	add.s64 	%rd48, %rd47, %rd44;
	add.s64 	%rd49, %rd48, %rd46;
	add.s64 	%rd50, %rd1, %rd49;
	mul.wide.u32 	%rd51, %r119, 16;
	add.s64 	%rd52, %rd2, %rd51;
	ld.v4.u32 	{%r67, %r68, %r69, %r70}, [%rd50];
	st.v4.u32 	[%rd52], {%r67, %r68, %r69, %r70};
	add.s32 	%r119, %r119, %r3;
	setp.lt.u32 	%p10, %r119, %r18;
	@%p10 bra 	$L__BB0_13;
	bra.uni 	$L__BB0_34;
$L__BB0_8:
	shr.u32 	%r13, %r9, 2;
	mul.lo.s32 	%r52, %r8, %r7;
	mul.lo.s32 	%r14, %r52, %r13;
	setp.ge.u32 	%p7, %r2, %r14;
	@%p7 bra 	$L__BB0_34;
	mov.u32 	%r118, %r2;
$L__BB0_10:
	.pragma "nounroll";
	div.u32 	%r53, %r118, %r13;
	mul.lo.s32 	%r54, %r53, %r13;
	sub.s32 	%r55, %r118, %r54;
	div.u32 	%r56, %r53, %r8;
	mul.lo.s32 	%r57, %r56, %r8;
	sub.s32 	%r58, %r53, %r57;
	cvt.u64.u32 	%rd33, %r56;
	mul.lo.s64 	%rd34, %rd33, %rd3;
	cvt.u64.u32 	%rd35, %r58;
	mul.lo.s64 	%rd36, %rd35, %rd4;
	mul.wide.u32 	%rd37, %r55, 4;
	add.s64 	%rd38, %rd37, %rd34;
	add.s64 	%rd39, %rd38, %rd36;
	add.s64 	%rd40, %rd1, %rd39;
	mul.wide.u32 	%rd41, %r118, 4;
	add.s64 	%rd42, %rd2, %rd41;
	ld.u32 	%r59, [%rd40];
	st.u32 	[%rd42], %r59;
	add.s32 	%r118, %r118, %r3;
	setp.lt.u32 	%p8, %r118, %r14;
	@%p8 bra 	$L__BB0_10;
	bra.uni 	$L__BB0_34;
$L__BB0_25:
	shr.u32 	%r32, %r26, 4;
	setp.ge.u32 	%p21, %r2, %r32;
	@%p21 bra 	$L__BB0_31;
	mov.u32 	%r123, %r2;
$L__BB0_27:
	.pragma "nounroll";
	mul.wide.u32 	%rd66, %r123, 16;
	add.s64 	%rd67, %rd66, %rd7;
	add.s64 	%rd68, %rd1, %rd67;
	add.s64 	%rd69, %rd2, %rd67;
	ld.v4.u32 	{%r83, %r84, %r85, %r86}, [%rd68];
	st.v4.u32 	[%rd69], {%r83, %r84, %r85, %r86};
	add.s32 	%r34, %r123, %r3;
	setp.ge.u32 	%p22, %r34, %r32;
	@%p22 bra 	$L__BB0_31;
	mul.wide.u32 	%rd70, %r34, 16;
	add.s64 	%rd71, %rd70, %rd7;
	add.s64 	%rd72, %rd1, %rd71;
	add.s64 	%rd73, %rd2, %rd71;
	ld.v4.u32 	{%r91, %r92, %r93, %r94}, [%rd72];
	st.v4.u32 	[%rd73], {%r91, %r92, %r93, %r94};
	add.s32 	%r35, %r34, %r3;
	setp.ge.u32 	%p23, %r35, %r32;
	@%p23 bra 	$L__BB0_31;
	mul.wide.u32 	%rd74, %r35, 16;
	add.s64 	%rd75, %rd74, %rd7;
	add.s64 	%rd76, %rd1, %rd75;
	add.s64 	%rd77, %rd2, %rd75;
	ld.v4.u32 	{%r99, %r100, %r101, %r102}, [%rd76];
	st.v4.u32 	[%rd77], {%r99, %r100, %r101, %r102};
	add.s32 	%r36, %r35, %r3;
	setp.ge.u32 	%p24, %r36, %r32;
	@%p24 bra 	$L__BB0_31;
	mul.wide.u32 	%rd78, %r36, 16;
	add.s64 	%rd79, %rd78, %rd7;
	add.s64 	%rd80, %rd1, %rd79;
	add.s64 	%rd81, %rd2, %rd79;
	ld.v4.u32 	{%r107, %r108, %r109, %r110}, [%rd80];
	st.v4.u32 	[%rd81], {%r107, %r108, %r109, %r110};
	add.s32 	%r123, %r36, %r3;
	setp.lt.u32 	%p25, %r123, %r32;
	@%p25 bra 	$L__BB0_27;
	bra.uni 	$L__BB0_31;
$L__BB0_19:
	setp.ge.u32 	%p17, %r2, %r26;
	@%p17 bra 	$L__BB0_31;
	mov.u32 	%r121, %r2;
$L__BB0_21:
	.pragma "nounroll";
	cvt.u64.u32 	%rd58, %r121;
	add.s64 	%rd59, %rd58, %rd7;
	add.s64 	%rd60, %rd1, %rd59;
	add.s64 	%rd61, %rd2, %rd59;
	ld.u8 	%rs3, [%rd60];
	st.u8 	[%rd61], %rs3;
	add.s32 	%r121, %r121, %r3;
	setp.lt.u32 	%p18, %r121, %r26;
	@%p18 bra 	$L__BB0_21;
$L__BB0_31:
	cvt.u64.u32 	%rd82, %r26;
	add.s64 	%rd8, %rd82, %rd7;
	sub.s32 	%r38, %r25, %r26;
	setp.ge.u32 	%p26, %r2, %r38;
	@%p26 bra 	$L__BB0_34;
	mov.u32 	%r124, %r2;
$L__BB0_33:
	.pragma "nounroll";
	cvt.u64.u32 	%rd83, %r124;
	add.s64 	%rd84, %rd8, %rd83;
	add.s64 	%rd85, %rd1, %rd84;
	add.s64 	%rd86, %rd2, %rd84;
	ld.u8 	%rs4, [%rd85];
	st.u8 	[%rd86], %rs4;
	add.s32 	%r124, %r124, %r3;
	setp.lt.u32 	%p27, %r124, %r38;
	@%p27 bra 	$L__BB0_33;
$L__BB0_34:
	mov.u32 	%r115, %nctaid.x;
	add.s32 	%r116, %r116, %r115;
	setp.lt.u32 	%p28, %r116, %r42;
	@%p28 bra 	$L__BB0_2;
$L__BB0_35:
	ret;
}
	// .globl	lmc_scatter
.visible .entry lmc_scatter(
	.param .u64 lmc_scatter_param_0,
	.param .u32 lmc_scatter_param_1,
	.param .u64 lmc_scatter_param_2
)
.maxntid 1024, 1, 1
{
	.reg .pred 	%p<29>;
	.reg .b16 	%rs<5>;
	.reg .b32 	%r<125>;
	.reg .b64 	%rd<87>;
	ld.param.u64 	%rd9, [lmc_scatter_param_0];
	ld.param.u32 	%r42, [lmc_scatter_param_1];
	ld.param.u64 	%rd10, [lmc_scatter_param_2];
	mov.u32 	%r116, %ctaid.x;
	setp.ge.u32 	%p1, %r116, %r42;
	@%p1 bra 	$L__BB1_35;
	mov.u32 	%r2, %tid.x;
	mov.u32 	%r3, %ntid.x;
	cvta.to.global.u64 	%rd11, %rd9;
	cvta.to.global.u64 	%rd14, %rd10;
$L__BB1_2:
	mul.wide.u32 	%rd12, %r116, 24;
	add.s64 	%rd13, %rd11, %rd12;
	ld.global.u64 	%rd1, [%rd13];
	ld.global.u64 	%rd2, [%rd13+8];
	ld.global.v2.u32 	{%r43, %r44}, [%rd13+16];
	setp.eq.s32 	%p2, %r44, -1;
	@%p2 bra 	$L__BB1_14;
	mul.wide.u32 	%rd15, %r44, 32;
	add.s64 	%rd16, %rd14, %rd15;
	ld.global.u32 	%r7, [%rd16];
	ld.global.u32 	%r8, [%rd16+4];
	ld.global.u32 	%r9, [%rd16+8];
	cvt.u64.u32 	%rd17, %r9;
	or.b64  	%rd18, %rd2, %rd1;
	or.b64  	%rd19, %rd18, %rd17;
	ld.global.u32 	%rd3, [%rd16+12];
	or.b64  	%rd20, %rd19, %rd3;
	ld.global.u32 	%rd4, [%rd16+16];
	or.b64  	%rd5, %rd20, %rd4;
	and.b64  	%rd21, %rd5, 15;
	setp.eq.s64 	%p3, %rd21, 0;
	@%p3 bra 	$L__BB1_11;
	and.b64  	%rd22, %rd5, 3;
	setp.eq.s64 	%p4, %rd22, 0;
	@%p4 bra 	$L__BB1_8;
	mul.lo.s32 	%r45, %r8, %r7;
	mul.lo.s32 	%r10, %r45, %r9;
	setp.ge.u32 	%p5, %r2, %r10;
	@%p5 bra 	$L__BB1_34;
	mov.u32 	%r117, %r2;
$L__BB1_7:
	.pragma "nounroll";
	div.u32 	%r46, %r117, %r9;
	mul.lo.s32 	%r47, %r46, %r9;
	sub.s32 	%r48, %r117, %r47;
	div.u32 	%r49, %r46, %r8;
	mul.lo.s32 	%r50, %r49, %r8;
	sub.s32 	%r51, %r46, %r50;
	cvt.u64.u32 	%rd23, %r49;
	mul.lo.s64 	%rd24, %rd23, %rd3;
	cvt.u64.u32 	%rd25, %r51;
	mul.lo.s64 	%rd26, %rd25, %rd4;
	cvt.u64.u32 	%rd27, %r48;
	add.s64 	%rd28, %rd24, %rd27;
	add.s64 	%rd29, %rd28, %rd26;
	add.s64 	%rd30, %rd1, %rd29;
	cvt.u64.u32 	%rd31, %r117;
	add.s64 	%rd32, %rd2, %rd31;
	ld.u8 	%rs1, [%rd32];
	st.u8 	[%rd30], %rs1;
	add.s32 	%r117, %r117, %r3;
	setp.lt.u32 	%p6, %r117, %r10;
	@%p6 bra 	$L__BB1_7;
	bra.uni 	$L__BB1_34;
$L__BB1_14:
	xor.b64  	%rd53, %rd2, %rd1;
	and.b64  	%rd6, %rd53, 15;
	setp.eq.s64 	%p11, %rd6, 0;
	and.b64  	%rd54, %rd53, 3;
	setp.eq.s64 	%p12, %rd54, 0;
	selp.b32 	%r75, 4, 1, %p12;
	selp.b32 	%r21, 16, %r75, %p11;
	add.s32 	%r76, %r21, -1;
	cvt.u32.u64 	%r77, %rd1;
	and.b32  	%r78, %r76, %r77;
	sub.s32 	%r79, %r21, %r78;
	and.b32  	%r80, %r79, %r76;
	min.u32 	%r22, %r80, %r43;
	setp.ge.u32 	%p13, %r2, %r22;
	@%p13 bra 	$L__BB1_17;
	mov.u32 	%r120, %r2;
$L__BB1_16:
	.pragma "nounroll";
	cvt.u64.u32 	%rd55, %r120;
	add.s64 	%rd56, %rd1, %rd55;
	add.s64 	%rd57, %rd2, %rd55;
	ld.u8 	%rs2, [%rd57];
	st.u8 	[%rd56], %rs2;
	add.s32 	%r120, %r120, %r3;
	setp.lt.u32 	%p14, %r120, %r22;
	@%p14 bra 	$L__BB1_16;
$L__BB1_17:
	cvt.u64.u32 	%rd7, %r22;
	neg.s32 	%r81, %r21;
	sub.s32 	%r25, %r43, %r22;
	and.b32  	%r26, %r25, %r81;
	@%p11 bra 	$L__BB1_25;
	setp.eq.s32 	%p16, %r21, 4;
	@%p16 bra 	$L__BB1_22;
	bra.uni 	$L__BB1_19;
$L__BB1_22:
	shr.u32 	%r29, %r26, 2;
	setp.ge.u32 	%p19, %r2, %r29;
	@%p19 bra 	$L__BB1_31;
	mov.u32 	%r122, %r2;
$L__BB1_24:
	.pragma "nounroll";
	mul.wide.u32 	%rd62, %r122, 4;
	add.s64 	%rd63, %rd62, %rd7;
	add.s64 	%rd64, %rd1, %rd63;
	add.s64 	%rd65, %rd2, %rd63;
	ld.u32 	%r82, [%rd65];
	st.u32 	[%rd64], %r82;
	add.s32 	%r122, %r122, %r3;
	setp.lt.u32 	%p20, %r122, %r29;
	@%p20 bra 	$L__BB1_24;
	bra.uni 	$L__BB1_31;
$L__BB1_11:
	shr.u32 	%r17, %r9, 4;
	mul.lo.s32 	%r60, %r8, %r7;
	mul.lo.s32 	%r18, %r60, %r17;
	setp.ge.u32 	%p9, %r2, %r18;
	@%p9 bra 	$L__BB1_34;
	mov.u32 	%r119, %r2;
$L__BB1_13:
	.pragma "nounroll";
	div.u32 	%r61, %r119, %r17;
	mul.lo.s32 	%r62, %r61, %r17;
	sub.s32 	%r63, %r119, %r62;
	div.u32 	%r64, %r61, %r8;
	mul.lo.s32 	%r65, %r64, %r8;
	sub.s32 	%r66, %r61, %r65;
	cvt.u64.u32 	%rd43, %r64;
	mul.lo.s64 	%rd44, %rd43, %rd3;
	cvt.u64.u32 	%rd45, %r66;
	mul.lo.s64 	%rd46, %rd45, %rd4;
	mul.wide.u32 	%rd47, %r63, 16;
	add.s64 	%rd48, %rd47, %rd44;
	add.s64 	%rd49, %rd48, %rd46;
	add.s64 	%rd50, %rd1, %rd49;
	mul.wide.u32 	%rd51, %r119, 16;
	add.s64 	%rd52, %rd2, %rd51;
	ld.v4.u32 	{%r67, %r68, %r69, %r70}, [%rd52];
	st.v4.u32 	[%rd50], {%r67, %r68, %r69, %r70};
	add.s32 	%r119, %r119, %r3;
	setp.lt.u32 	%p10, %r119, %r18;
	@%p10 bra 	$L__BB1_13;
	bra.uni 	$L__BB1_34;
$L__BB1_8:
	shr.u32 	%r13, %r9, 2;
	mul.lo.s32 	%r52, %r8, %r7;
	mul.lo.s32 	%r14, %r52, %r13;
	setp.ge.u32 	%p7, %r2, %r14;
	@%p7 bra 	$L__BB1_34;
	mov.u32 	%r118, %r2;
$L__BB1_10:
	.pragma "nounroll";
	div.u32 	%r53, %r118, %r13;
	mul.lo.s32 	%r54, %r53, %r13;
	sub.s32 	%r55, %r118, %r54;
	div.u32 	%r56, %r53, %r8;
	mul.lo.s32 	%r57, %r56, %r8;
	sub.s32 	%r58, %r53, %r57;
	cvt.u64.u32 	%rd33, %r56;
	mul.lo.s64 	%rd34, %rd33, %rd3;
	cvt.u64.u32 	%rd35, %r58;
	mul.lo.s64 	%rd36, %rd35, %rd4;
	mul.wide.u32 	%rd37, %r55, 4;
	add.s64 	%rd38, %rd37, %rd34;
	add.s64 	%rd39, %rd38, %rd36;
	add.s64 	%rd40, %rd1, %rd39;
	mul.wide.u32 	%rd41, %r118, 4;
	add.s64 	%rd42, %rd2, %rd41;
	ld.u32 	%r59, [%rd42];
	st.u32 	[%rd40], %r59;
	add.s32 	%r118, %r118, %r3;
	setp.lt.u32 	%p8, %r118, %r14;
	@%p8 bra 	$L__BB1_10;
	bra.uni 	$L__BB1_34;
$L__BB1_25:
	shr.u32 	%r32, %r26, 4;
	setp.ge.u32 	%p21, %r2, %r32;
	@%p21 bra 	$L__BB1_31;
	mov.u32 	%r123, %r2;
$L__BB1_27:
	.pragma "nounroll";
	mul.wide.u32 	%rd66, %r123, 16;
	add.s64 	%rd67, %rd66, %rd7;
	add.s64 	%rd68, %rd1, %rd67;
	add.s64 	%rd69, %rd2, %rd67;
	ld.v4.u32 	{%r83, %r84, %r85, %r86}, [%rd69];
	st.v4.u32 	[%rd68], {%r83, %r84, %r85, %r86};
	add.s32 	%r34, %r123, %r3;
	setp.ge.u32 	%p22, %r34, %r32;
	@%p22 bra 	$L__BB1_31;
	mul.wide.u32 	%rd70, %r34, 16;
	add.s64 	%rd71, %rd70, %rd7;
	add.s64 	%rd72, %rd1, %rd71;
	add.s64 	%rd73, %rd2, %rd71;
	ld.v4.u32 	{%r91, %r92, %r93, %r94}, [%rd73];
	st.v4.u32 	[%rd72], {%r91, %r92, %r93, %r94};
	add.s32 	%r35, %r34, %r3;
	setp.ge.u32 	%p23, %r35, %r32;
	@%p23 bra 	$L__BB1_31;
	mul.wide.u32 	%rd74, %r35, 16;
	add.s64 	%rd75, %rd74, %rd7;
	add.s64 	%rd76, %rd1, %rd75;
	add.s64 	%rd77, %rd2, %rd75;
	ld.v4.u32 	{%r99, %r100, %r101, %r102}, [%rd77];
	st.v4.u32 	[%rd76], {%r99, %r100, %r101, %r102};
	add.s32 	%r36, %r35, %r3;
	setp.ge.u32 	%p24, %r36, %r32;
	@%p24 bra 	$L__BB1_31;
	mul.wide.u32 	%rd78, %r36, 16;
	add.s64 	%rd79, %rd78, %rd7;
	add.s64 	%rd80, %rd1, %rd79;
	add.s64 	%rd81, %rd2, %rd79;
	ld.v4.u32 	{%r107, %r108, %r109, %r110}, [%rd81];
	st.v4.u32 	[%rd80], {%r107, %r108, %r109, %r110};
	add.s32 	%r123, %r36, %r3;
	setp.lt.u32 	%p25, %r123, %r32;
	@%p25 bra 	$L__BB1_27;
	bra.uni 	$L__BB1_31;
$L__BB1_19:
	setp.ge.u32 	%p17, %r2, %r26;
	@%p17 bra 	$L__BB1_31;
	mov.u32 	%r121, %r2;
$L__BB1_21:
	.pragma "nounroll";
	cvt.u64.u32 	%rd58, %r121;
	add.s64 	%rd59, %rd58, %rd7;
	add.s64 	%rd60, %rd1, %rd59;
	add.s64 	%rd61, %rd2, %rd59;
	ld.u8 	%rs3, [%rd61];
	st.u8 	[%rd60], %rs3;
	add.s32 	%r121, %r121, %r3;
	setp.lt.u32 	%p18, %r121, %r26;
	@%p18 bra 	$L__BB1_21;
$L__BB1_31:
	cvt.u64.u32 	%rd82, %r26;
	add.s64 	%rd8, %rd82, %rd7;
	sub.s32 	%r38, %r25, %r26;
	setp.ge.u32 	%p26, %r2, %r38;
	@%p26 bra 	$L__BB1_34;
	mov.u32 	%r124, %r2;
$L__BB1_33:
	.pragma "nounroll";
	cvt.u64.u32 	%rd83, %r124;
	add.s64 	%rd84, %rd8, %rd83;
	add.s64 	%rd85, %rd1, %rd84;
	add.s64 	%rd86, %rd2, %rd84;
	ld.u8 	%rs4, [%rd86];
	st.u8 	[%rd85], %rs4;
	add.s32 	%r124, %r124, %r3;
	setp.lt.u32 	%p27, %r124, %r38;
	@%p27 bra 	$L__BB1_33;
$L__BB1_34:
	mov.u32 	%r115, %nctaid.x;
	add.s32 	%r116, %r116, %r115;
	setp.lt.u32 	%p28, %r116, %r42;
	@%p28 bra 	$L__BB1_2;
$L__BB1_35:
	ret;
}
"""#
}
