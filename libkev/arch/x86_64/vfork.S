/* vfork on x86_64.
 *
 * The child runs in the parent's memory and on its stack, so the return address is kept in a register over the
 * system call, and kev_vfork_depth, a word of the calling thread, says for as long as the parent is stopped that
 * what runs is a child: its calls must not change the parent's tables. The child may only return from here once,
 * and then call exec or _exit.
 * On a shadow stack the parent leaves by a jump: the child has overwritten its entry.
 */
#include <sys/syscall.h>

	.text
	.globl	kev_vfork
	.hidden	kev_vfork
	.type	kev_vfork, @function
	.align	16
kev_vfork:
	.cfi_startproc
	endbr64
	movq	kev_vfork_depth@gottpoff(%rip), %rsi
	movl	%fs:(%rsi), %r8d
	leal	1(%r8), %eax
	movl	%eax, %fs:(%rsi)
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdi
	movl	$SYS_vfork, %eax
	syscall
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rip, -8
	testq	%rax, %rax
	jz	.Lchild
	movl	%r8d, %fs:(%rsi)	/* whatever the child has made of it */
	xorl	%ecx, %ecx
	rdsspq	%rcx
	testq	%rcx, %rcx
	jnz	.Lshadow
	cmpq	$-4095, %rax
	jae	.Lerror
.Lchild:
	ret
.Lerror:
	negl	%eax
	movl	%eax, %edi
	jmp	kev_set_errno
.Lshadow:
	cmpq	$-4095, %rax
	jae	.Lerror
	.cfi_remember_state
	movl	$1, %ecx
	incsspq	%rcx
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdi
	jmp	*%rdi
	.cfi_restore_state
	.cfi_endproc
	.size	kev_vfork, .-kev_vfork

#include "arch_notes.inc"
