//! Overwrites the traces of an operation on secrets: the stack below its caller, and the registers.
//!
//! `zeroize` overwrites variables that hold secrets. It does not overwrite what the compiler makes of them: copies of
//! moved values, spilled registers, the frames of the primitives' crates. So the operation runs in separate frames, and
//! as many bytes of stack as these took are overwritten when it is over. A test measures how many each operation takes.
//!
//! Not covered: the registers that the operating system saves on the stack when a signal arrives during the operation.

/// Bytes of stack that a short Generate request of Hash_DRBG SHA-256 takes: at most one block of output, no additional
/// input, hashed by the CPU's SHA instructions. To overwrite more would take too much of the time of a short request.
pub const SHORT: usize = optimized(384);
/// The same, for requests of up to 16 more blocks.
pub const MEDIUM: usize = optimized(1280);
/// Bytes of stack that every other operation of Hash_DRBG SHA-256 takes.
pub const LONG: usize = optimized(8 << 10);
/// Bytes of stack that the operations of every mechanism and Hash_df take, even if little is inlined.
pub const DEEP: usize = optimized(12 << 10);

/// Without optimization every operation takes more.
const fn optimized(bytes: usize) -> usize {
    if cfg!(debug_assertions) {
        64 << 10
    } else {
        bytes
    }
}

/// From this many bytes on, a faster way overwrites them, and the wide registers are overwritten too.
const MANY: usize = 4 << 10;

/// Wipes when it is dropped, also after an operation that panicked.
struct Wipe<const BYTES: usize>;

impl<const BYTES: usize> Drop for Wipe<BYTES> {
    #[inline(always)]
    fn drop(&mut self) {
        if BYTES >= MANY {
            platform::wide_registers();
        }
        platform::stack_and_registers::<BYTES>();
    }
}

/// Run a short `operation` on secrets, and leave no trace of it in `BYTES` bytes of stack or in the registers.
#[inline(always)]
pub fn after<const BYTES: usize, R>(operation: impl FnOnce() -> R) -> R {
    let _wipe = Wipe::<BYTES>;
    below(operation)
}

/// Run any `operation` on secrets, and leave no trace of it on the stack or in the registers.
pub fn after_any<R>(operation: impl FnOnce() -> R) -> R {
    after::<DEEP, R>(operation)
}

/// Run `operation` so that everything it puts on the stack lies below the frame of the caller.
#[inline(never)]
fn below<R>(operation: impl FnOnce() -> R) -> R {
    operation()
}

#[cfg(target_arch = "x86_64")]
mod platform {
    use std::arch::asm;

    /// Overwrite `BYTES` bytes below the stack pointer and the registers that every x86-64 has, except those that
    /// belong to the caller.
    #[inline(always)]
    pub fn stack_and_registers<const BYTES: usize>() {
        const { assert!(BYTES.is_multiple_of(64)) };
        if BYTES >= super::MANY {
            // SAFETY: as below; one word of each page is written on the way down, then everything on the way up. The
            // direction flag is clear, as it always is between Rust's instructions.
            unsafe {
                asm!(
                    "mov rdi, rsp",
                    "mov ecx, {pages}",
                    "xor eax, eax",
                    "2:",
                    "sub rdi, 4096",
                    "mov [rdi], rax",
                    "dec ecx",
                    "jnz 2b",
                    "mov rdi, rsp",
                    "sub rdi, {bytes}",
                    "mov ecx, {words}",
                    "rep stosq",
                    pages = const BYTES / 4096,
                    bytes = const BYTES,
                    words = const BYTES / 8,
                    out("rax") _, out("rcx") _, out("rdi") _,
                );
            }
        }
        // SAFETY: without the option `nostack` the compiler keeps nothing below the stack pointer, and a block may push
        // there; this writes where a function with a frame of `BYTES` bytes would, from the top down, so that a guard
        // page is met before anything beyond it. Every register it changes is named.
        unsafe {
            asm!(
                "xorps xmm0, xmm0",
                "mov rax, rsp",
                "mov ecx, {turns}",
                "2:",
                "movaps [rax - 16], xmm0",
                "movaps [rax - 32], xmm0",
                "movaps [rax - 48], xmm0",
                "movaps [rax - 64], xmm0",
                "sub rax, 64",
                "dec ecx",
                "jnz 2b",
                "xor eax, eax",
                "xor edx, edx",
                "xor esi, esi",
                "xor edi, edi",
                "xor r8d, r8d",
                "xor r9d, r9d",
                "xor r10d, r10d",
                "xor r11d, r11d",
                "xorps xmm1, xmm1",
                "xorps xmm2, xmm2",
                "xorps xmm3, xmm3",
                "xorps xmm4, xmm4",
                "xorps xmm5, xmm5",
                "xorps xmm6, xmm6",
                "xorps xmm7, xmm7",
                "xorps xmm8, xmm8",
                "xorps xmm9, xmm9",
                "xorps xmm10, xmm10",
                "xorps xmm11, xmm11",
                "xorps xmm12, xmm12",
                "xorps xmm13, xmm13",
                "xorps xmm14, xmm14",
                "xorps xmm15, xmm15",
                turns = const if BYTES >= super::MANY { 1 } else { BYTES / 64 },
                out("rax") _, out("rcx") _, out("rdx") _, out("rsi") _, out("rdi") _,
                out("r8") _, out("r9") _, out("r10") _, out("r11") _,
                out("xmm0") _, out("xmm1") _, out("xmm2") _, out("xmm3") _,
                out("xmm4") _, out("xmm5") _, out("xmm6") _, out("xmm7") _,
                out("xmm8") _, out("xmm9") _, out("xmm10") _, out("xmm11") _,
                out("xmm12") _, out("xmm13") _, out("xmm14") _, out("xmm15") _,
            );
        }
    }

    /// Overwrite the registers of AVX and AVX-512, which the primitives' crates choose for themselves.
    #[inline(never)]
    pub fn wide_registers() {
        if std::arch::is_x86_feature_detected!("avx512f") {
            // SAFETY: the CPU has the instruction set.
            unsafe { avx512() };
        } else if std::arch::is_x86_feature_detected!("avx") {
            // SAFETY: as above.
            unsafe { avx() };
        }
    }

    #[target_feature(enable = "avx")]
    fn avx() {
        std::arch::x86_64::_mm256_zeroall();
    }

    #[target_feature(enable = "avx512f")]
    fn avx512() {
        // SAFETY: every register it changes is named; VZEROALL clears the lower sixteen to their full width, and of the
        // upper ones there is only this name.
        unsafe {
            asm!(
                "vzeroall",
                "vpxord zmm16, zmm16, zmm16",
                "vpxord zmm17, zmm17, zmm17",
                "vpxord zmm18, zmm18, zmm18",
                "vpxord zmm19, zmm19, zmm19",
                "vpxord zmm20, zmm20, zmm20",
                "vpxord zmm21, zmm21, zmm21",
                "vpxord zmm22, zmm22, zmm22",
                "vpxord zmm23, zmm23, zmm23",
                "vpxord zmm24, zmm24, zmm24",
                "vpxord zmm25, zmm25, zmm25",
                "vpxord zmm26, zmm26, zmm26",
                "vpxord zmm27, zmm27, zmm27",
                "vpxord zmm28, zmm28, zmm28",
                "vpxord zmm29, zmm29, zmm29",
                "vpxord zmm30, zmm30, zmm30",
                "vpxord zmm31, zmm31, zmm31",
                out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _,
                out("zmm4") _, out("zmm5") _, out("zmm6") _, out("zmm7") _,
                out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
                out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _,
                out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _,
                out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
                out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
                out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
                options(nomem, nostack),
            );
        }
    }
}

/// Without assembly for this CPU: overwrite the stack by a function whose frame lies where those of the operation lay.
#[cfg(not(target_arch = "x86_64"))]
mod platform {
    use std::mem::MaybeUninit;

    #[inline(always)]
    pub fn stack_and_registers<const BYTES: usize>() {
        frame::<BYTES>();
    }

    #[inline(never)]
    fn frame<const BYTES: usize>() {
        let mut room = [MaybeUninit::<u8>::uninit(); BYTES];
        let words = room.as_mut_ptr().cast::<u64>();
        for index in (0..BYTES / 8).rev() {
            // SAFETY: inside the local array, at an address that need not be aligned; volatile, so that it is done.
            unsafe { words.byte_add(8 * index).cast::<[u8; 8]>().write_volatile([0; 8]) };
        }
    }

    pub fn wide_registers() {}
}

/// How deep into the stack an operation goes.
#[cfg(test)]
pub mod depth {
    /// Bytes below the caller that are checked.
    pub const ROOM: usize = 128 << 10;
    const PAINT: u8 = 0xa5;

    /// A frame of `ROOM` bytes below the caller: fill it.
    #[inline(never)]
    pub fn paint() {
        let mut room = std::mem::MaybeUninit::<[u8; ROOM]>::uninit();
        let start = std::hint::black_box(room.as_mut_ptr()).cast::<u8>();
        for at in 0..ROOM {
            // SAFETY: inside the local array.
            unsafe { start.add(at).write_volatile(PAINT) };
        }
    }

    /// The same frame again: distance from its top of the lowest byte that is neither paint nor 0. Zeros are ignored: a
    /// function with a large frame writes some itself, one in each page, on its way down.
    #[inline(never)]
    pub fn depth() -> usize {
        let mut room = std::mem::MaybeUninit::<[u8; ROOM]>::uninit();
        let start = std::hint::black_box(room.as_mut_ptr()).cast::<u8>();
        // SAFETY: inside the local array; volatile reads of what lies there, which `paint` gave a value.
        let byte = |at: usize| unsafe { start.add(at).read_volatile() };
        ROOM - (0..ROOM).find(|&at| byte(at) != PAINT && byte(at) != 0).unwrap_or(ROOM)
    }

    /// The stack that `operation` takes, in bytes.
    #[inline(never)]
    pub fn taken(operation: impl FnOnce()) -> usize {
        paint();
        super::below(operation);
        depth()
    }
}

#[cfg(test)]
mod tests {
    use super::depth::{depth, paint, taken};
    use super::*;

    #[test]
    fn nothing_is_left_of_a_frame() {
        let fill = || {
            let mut frame = [0u8; 600];
            for byte in std::hint::black_box(&mut frame).iter_mut() {
                *byte = 0x77;
            }
            std::hint::black_box(&frame);
        };
        let bytes = taken(fill);
        assert!(bytes >= 600, "the frame was not seen: {bytes}");
        paint();
        after_any(fill);
        let bytes = depth();
        assert!(bytes < 300, "something is left {bytes} bytes below the caller");
    }

    #[cfg(target_arch = "x86_64")]
    mod registers {
        use super::*;
        use std::arch::asm;

        /// Put the secret in every register that an operation need not preserve.
        #[target_feature(enable = "avx512f")]
        fn fill() {
            // SAFETY: every register it changes is named.
            unsafe {
                asm!(
                    "vpbroadcastq zmm0, rax", "vmovdqa64 zmm1, zmm0", "vmovdqa64 zmm7, zmm0", "vmovdqa64 zmm15, zmm0",
                    "vmovdqa64 zmm16, zmm0", "vmovdqa64 zmm31, zmm0", "mov rdx, rax", "mov r8, rax", "mov r11, rax",
                    in("rax") 0x7777_7777_7777_7777u64,
                    out("rdx") _, out("r8") _, out("r11") _,
                    out("zmm0") _, out("zmm1") _, out("zmm7") _, out("zmm15") _, out("zmm16") _, out("zmm31") _,
                );
            }
        }

        /// Return the bits that are set in any of these registers.
        #[target_feature(enable = "avx512f")]
        #[inline]
        fn seen() -> u64 {
            let (mut low, mut high) = ([0u64; 8], [0u64; 8]);
            // SAFETY: writes the two local arrays, 64 bytes each, and the registers it names.
            unsafe {
                asm!(
                    "vpord zmm0, zmm0, zmm1", "vpord zmm0, zmm0, zmm7", "vpord zmm0, zmm0, zmm15",
                    "vpord zmm16, zmm16, zmm31", "vmovdqu64 [{low}], zmm0", "vmovdqu64 [{high}], zmm16",
                    low = in(reg) low.as_mut_ptr(), high = in(reg) high.as_mut_ptr(), out("zmm0") _, out("zmm16") _,
                );
            }
            low.iter().chain(&high).fold(0, |all, word| all | word)
        }

        #[target_feature(enable = "avx512f")]
        fn check() {
            let fill = || fill();
            below(fill);
            assert_ne!(seen(), 0, "the registers were not seen");
            after_any(fill);
            assert_eq!(seen(), 0);
        }

        #[test]
        fn nothing_is_left_in_registers() {
            if std::arch::is_x86_feature_detected!("avx512f") {
                // SAFETY: the line above.
                unsafe { check() };
            }
        }
    }
}
