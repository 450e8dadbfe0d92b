/* The system call of a cancellation point on aarch64; what it is for stands in cancel/stub.hpp.
 *
 * Between kev_cp_begin and kev_cp_end a thread has looked for a request and has not made its call yet, or waits in it
 * with nothing done: whoever finds the program counter there may send the thread to kev_cp_redirect. At kev_cp_end the
 * call has a result, which is never dropped.
 * Kernel and handlers leave every register but x0 as it was, and x0 too until the call has a result, so that
 * kev_cp_cancelled gets the arguments like a callee of the same prototype. Nothing lies on the stack.
 */
	.section .text.hot.kev,"ax",%progbits
	.globl	kev_syscall_cp, kev_cp_start, kev_cp_begin, kev_cp_end, kev_cp_redirect, kev_cp_finish
	.hidden	kev_syscall_cp, kev_cp_start, kev_cp_begin, kev_cp_end, kev_cp_redirect, kev_cp_finish
	.type	kev_syscall_cp, %function
	.align	6
kev_cp_start:
kev_syscall_cp:
	.cfi_startproc
	hint	#34			/* bti c */
	mrs	x9, tpidr_el0
	adrp	x10, :gottprel:kev_cancel_self
	ldr	x10, [x10, #:gottprel_lo12:kev_cancel_self]
	add	x9, x9, x10
	ldr	x11, [x9, #8]
	mov	x10, sp
	str	x10, [x9, #8]
	mov	x8, x6			/* the call's number */
kev_cp_begin:
	ldr	w10, [x9]
	cmp	w10, w7			/* how: the requests that were looked at before */
	b.ne	kev_cp_redirect
	svc	#0
kev_cp_end:
	str	x11, [x9, #8]
	ldr	w10, [x9]
	cbnz	w10, 1f
	ret
1:	mov	x1, x6
	mov	x2, x7
	b	kev_cp_returned
kev_cp_redirect:
	str	x11, [x9, #8]
	b	kev_cp_cancelled
	.cfi_endproc
kev_cp_finish:
	.size	kev_syscall_cp, .-kev_syscall_cp

#include "arch_notes.inc"
