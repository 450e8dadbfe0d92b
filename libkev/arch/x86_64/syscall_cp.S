/* The system call of a cancellation point on x86_64; what it is for stands in cancel/stub.hpp.
 *
 * Between kev_cp_begin and kev_cp_end a thread has looked for a request and has not made its call yet, or waits in it
 * with nothing done: whoever finds the program counter there may send the thread to kev_cp_redirect. At kev_cp_end the
 * call has a result, which is never dropped.
 * Kernel and handlers leave every register of the arguments as it was until then, so that kev_cp_cancelled gets them
 * like a callee of the same prototype; a signal that restarts the call puts the program counter back on `syscall`.
 * The stack holds one word of ours from before the window to behind it: the frame's rule is one and the same at every
 * instruction in which a signal may ask for it.
 */
	.section .text.hot.kev,"ax",@progbits
	.globl	kev_syscall_cp, kev_cp_start, kev_cp_begin, kev_cp_end, kev_cp_redirect, kev_cp_finish
	.hidden	kev_syscall_cp, kev_cp_start, kev_cp_begin, kev_cp_end, kev_cp_redirect, kev_cp_finish
	.type	kev_syscall_cp, @function
	.align	4096			/* with the functions that use it behind: one page, and one miss after each call */
kev_cp_start:
kev_syscall_cp:
	.cfi_startproc
	endbr64
	movq	.Ldistance(%rip), %r11
	pushq	%fs:8(%r11)
	.cfi_adjust_cfa_offset 8
	movq	%rsp, %fs:8(%r11)
	movq	%rcx, %r10
	movl	24(%rsp), %ecx		/* how: the requests that were looked at before */
	movl	16(%rsp), %eax		/* the call's number */
kev_cp_begin:
	cmpl	%ecx, %fs:(%r11)
	jne	kev_cp_redirect
	syscall
kev_cp_end:
	movq	.Ldistance(%rip), %r11
	popq	%fs:8(%r11)
	.cfi_adjust_cfa_offset -8
	cmpl	$0, %fs:(%r11)
	jne	.Lsettle
	ret
.Lsettle:
	movq	%rax, %rdi
	movl	8(%rsp), %esi
	movq	16(%rsp), %rdx
	jmp	kev_cp_returned
	.cfi_adjust_cfa_offset 8
kev_cp_redirect:
	movq	.Ldistance(%rip), %r11
	popq	%fs:8(%r11)
	.cfi_adjust_cfa_offset -8
	movq	%r10, %rcx
	jmp	kev_cp_cancelled
	.cfi_endproc
kev_cp_finish:
	.size	kev_syscall_cp, .-kev_syscall_cp

/* Where kev_cancel_self lies from the thread pointer: a word in the page that the callers look into anyway, instead of
   one more page with the linker's table. Set when the object is loaded. */
	.data
	.align	8
.Ldistance:
	.quad	0

	.text
	.type	set_distance, @function
set_distance:
	.cfi_startproc
	endbr64
	movq	kev_cancel_self@gottpoff(%rip), %rax
	movq	%rax, .Ldistance(%rip)
	ret
	.cfi_endproc
	.size	set_distance, .-set_distance

	.section .init_array.00101,"aw",@init_array
	.align	8
	.quad	set_distance

#include "arch_notes.inc"
