// lmcache · SPDX-License-Identifier: Apache-2.0

import CCUDATypes

/// The two copy kernels, loaded into one context.
struct CopyKernels: @unchecked Sendable {  // handles of the driver, which any thread may use
    private let module: OpaquePointer
    private let gather: OpaquePointer
    private let scatter: OpaquePointer

    /// Lets the driver compile the PTX. The context must be current.
    init(driver: CUDADriver) throws(CUDAFailure) {
        var module: OpaquePointer?
        let code = Self.ptx.withCString { lmc_cuda_module_load(driver.calls, &module, $0) }
        try driver.check("cuModuleLoadData", code)
        guard let module else { throw .missingSymbol("cuModuleLoadData") }
        do throws(CUDAFailure) {
            self.gather = try Self.function("lmc_gather", in: module, driver: driver)
            self.scatter = try Self.function("lmc_scatter", in: module, driver: driver)
        } catch {
            _ = lmc_cuda_module_unload(driver.calls, module)
            throw error
        }
        self.module = module
    }

    private static func function(
        _ name: String, in module: OpaquePointer, driver: CUDADriver
    ) throws(CUDAFailure) -> OpaquePointer {
        var function: OpaquePointer?
        let code = name.withCString { lmc_cuda_module_function(driver.calls, &function, module, $0) }
        try driver.check("cuModuleGetFunction", code)
        guard let function else { throw .missingSymbol(name) }
        return function
    }

    /// Enqueues the copy of fragments that lie in device memory.
    ///
    /// - Parameters:
    ///   - fragments: Device address of `count` fragments.
    ///   - shapes: Device address of the shapes that they name.
    func launch(
        isGather: Bool, fragments: UInt64, count: Int, shapes: UInt64, grid: Int, stream: OpaquePointer,
        driver: CUDADriver
    ) throws(CUDAFailure) {
        let function = isGather ? self.gather : self.scatter
        var (fragments, shapes, number) = (fragments, shapes, UInt32(clamping: count))
        let blocks = UInt32(clamping: min(max(1, count), max(1, grid)))
        let code = withUnsafeMutablePointer(to: &fragments) { first in
            withUnsafeMutablePointer(to: &number) { second in
                withUnsafeMutablePointer(to: &shapes) { third in
                    var parameters: [UnsafeMutableRawPointer?] = [
                        UnsafeMutableRawPointer(first), UnsafeMutableRawPointer(second), UnsafeMutableRawPointer(third),
                    ]
                    return parameters.withUnsafeMutableBufferPointer {
                        lmc_cuda_launch(
                            driver.calls, function, blocks, 1, 1, Self.threads, 1, 1, 0, stream, $0.baseAddress, nil)
                    }
                }
            }
        }
        try driver.check("cuLaunchKernel", code)
    }

    private static let threads: UInt32 = 512

    func unload(driver: CUDADriver) { _ = lmc_cuda_module_unload(driver.calls, self.module) }
}
