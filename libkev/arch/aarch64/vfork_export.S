/* The names by which the preload object interposes vfork: no frame may lie between the program and the stub. */
	.text
	.globl	vfork
	.type	vfork, %function
	.globl	__vfork
	.type	__vfork, %function
	.align	4
vfork:
__vfork:
	.cfi_startproc
	hint	#34			/* bti c */
	b	kev_vfork
	.cfi_endproc
	.size	vfork, .-vfork
	.size	__vfork, .-__vfork

#include "arch_notes.inc"
