/* The names by which the preload object interposes vfork: no frame may lie between the program and the stub. */
	.text
	.globl	vfork
	.type	vfork, @function
	.globl	__vfork
	.type	__vfork, @function
	.align	16
vfork:
__vfork:
	.cfi_startproc
	endbr64
	jmp	kev_vfork
	.cfi_endproc
	.size	vfork, .-vfork
	.size	__vfork, .-__vfork

	.section .note.GNU-stack,"",@progbits

	/* IBT and SHSTK. */
	.section .note.gnu.property,"a"
	.align	8
	.long	4
	.long	16
	.long	5
	.asciz	"GNU"
	.long	0xc0000002
	.long	4
	.long	3
	.long	0
