/* vfork on aarch64.
 *
 * The child runs in the parent's memory and on its stack; the return address stays in x30, so nothing of this
 * frame lies on the stack. kev_vfork_depth, a word of the calling thread, says for as long as the parent is
 * stopped that what runs is a child: its calls must not change the parent's tables.
 */
#include <sys/syscall.h>

	.text
	.globl	kev_vfork
	.hidden	kev_vfork
	.type	kev_vfork, %function
	.align	4
kev_vfork:
	.cfi_startproc
	hint	#34			/* bti c */
	mrs	x9, tpidr_el0
	adrp	x10, :gottprel:kev_vfork_depth
	ldr	x10, [x10, #:gottprel_lo12:kev_vfork_depth]
	add	x9, x9, x10
	ldr	w10, [x9]
	add	w11, w10, #1
	str	w11, [x9]
	mov	x0, #0x4111		/* CLONE_VM | CLONE_VFORK | SIGCHLD */
	mov	x1, #0
	mov	x2, #0
	mov	x3, #0
	mov	x4, #0
	mov	x8, #SYS_clone
	svc	#0
	cbz	x0, 1f
	str	w10, [x9]		/* whatever the child has made of it */
	cmn	x0, #4095
	b.cs	2f
1:	ret
2:	neg	w0, w0
	b	kev_set_errno
	.cfi_endproc
	.size	kev_vfork, .-kev_vfork

#include "arch_notes.inc"
