// lmcache · SPDX-License-Identifier: Apache-2.0
//
// Moves fragments between an engine's pages and objects. scripts/build-kernels makes the PTX from this file.

// One piece of a page and its place in an object; both addresses are valid on the device. 24 bytes.
struct Fragment {
    unsigned long long page;
    unsigned long long object;
    unsigned int byte_count;
    // Index into the shapes for a block whose heads come before its slots; all ones for one run of bytes.
    unsigned int shape;
};

// How one block lies in a page; in the object it is [slots][heads][row]. In bytes. 32 bytes.
struct Shape {
    unsigned int slots;
    unsigned int heads;
    unsigned int row_bytes;
    unsigned int page_slot_stride;
    unsigned int page_head_stride;
    unsigned int reserved[3];
};

template <bool IS_GATHER, typename Word>
__device__ __forceinline__ void move_word(char *page, char *object) {
    if (IS_GATHER) {
        *reinterpret_cast<Word *>(object) = *reinterpret_cast<const Word *>(page);
    } else {
        *reinterpret_cast<Word *>(page) = *reinterpret_cast<const Word *>(object);
    }
}

template <bool IS_GATHER, typename Word>
__device__ __forceinline__ void move_words(char *page, char *object, unsigned int byte_count) {
    const unsigned int count = byte_count / sizeof(Word);
#pragma unroll(sizeof(Word) == 16 ? 4 : 1)
    for (unsigned int word = threadIdx.x; word < count; word += blockDim.x) {
        const size_t offset = size_t(word) * sizeof(Word);
        move_word<IS_GATHER, Word>(page + offset, object + offset);
    }
}

// One run of bytes: whole words where both sides can be aligned together, single bytes at both ends.
template <bool IS_GATHER>
__device__ void move_run(char *page, char *object, unsigned int byte_count) {
    const size_t distance = reinterpret_cast<size_t>(page) ^ reinterpret_cast<size_t>(object);
    const unsigned int width = (distance & 15) == 0 ? 16 : (distance & 3) == 0 ? 4 : 1;
    unsigned int lead = (width - (reinterpret_cast<size_t>(page) & (width - 1))) & (width - 1);
    if (lead > byte_count) lead = byte_count;
    move_words<IS_GATHER, unsigned char>(page, object, lead);
    page += lead;
    object += lead;
    byte_count -= lead;
    const unsigned int whole = byte_count & ~(width - 1);
    if (width == 16) {
        move_words<IS_GATHER, uint4>(page, object, whole);
    } else if (width == 4) {
        move_words<IS_GATHER, unsigned int>(page, object, whole);
    } else {
        move_words<IS_GATHER, unsigned char>(page, object, whole);
    }
    move_words<IS_GATHER, unsigned char>(page + whole, object + whole, byte_count - whole);
}

template <bool IS_GATHER, typename Word>
__device__ __forceinline__ void move_rows(char *page, char *object, const Shape &shape) {
    const unsigned int row_words = shape.row_bytes / sizeof(Word);
    const unsigned int count = shape.slots * shape.heads * row_words;
#pragma unroll 1
    for (unsigned int word = threadIdx.x; word < count; word += blockDim.x) {
        const unsigned int row = word / row_words;
        const unsigned int column = word - row * row_words;
        const unsigned int slot = row / shape.heads;
        const unsigned int head = row - slot * shape.heads;
        const size_t in_page = size_t(slot) * shape.page_slot_stride + size_t(head) * shape.page_head_stride +
                               size_t(column) * sizeof(Word);
        move_word<IS_GATHER, Word>(page + in_page, object + size_t(word) * sizeof(Word));
    }
}

template <bool IS_GATHER>
__device__ __forceinline__ void move_fragments(const Fragment *fragments, unsigned int count, const Shape *shapes) {
    for (unsigned int index = blockIdx.x; index < count; index += gridDim.x) {
        const Fragment fragment = fragments[index];
        char *page = reinterpret_cast<char *>(fragment.page);
        char *object = reinterpret_cast<char *>(fragment.object);
        if (fragment.shape == 0xffffffffu) {
            move_run<IS_GATHER>(page, object, fragment.byte_count);
            continue;
        }
        const Shape shape = shapes[fragment.shape];
        const size_t together = fragment.page | fragment.object | shape.row_bytes | shape.page_slot_stride |
                                shape.page_head_stride;
        if ((together & 15) == 0) {
            move_rows<IS_GATHER, uint4>(page, object, shape);
        } else if ((together & 3) == 0) {
            move_rows<IS_GATHER, unsigned int>(page, object, shape);
        } else {
            move_rows<IS_GATHER, unsigned char>(page, object, shape);
        }
    }
}

extern "C" __global__ void __launch_bounds__(1024)
    lmc_gather(const Fragment *fragments, unsigned int count, const Shape *shapes) {
    move_fragments<true>(fragments, count, shapes);
}

extern "C" __global__ void __launch_bounds__(1024)
    lmc_scatter(const Fragment *fragments, unsigned int count, const Shape *shapes) {
    move_fragments<false>(fragments, count, shapes);
}
