//! The device a model runs on, by name.

use burn::tensor::Device;

use crate::LlamaError;

/// Names of the devices compiled into this build, the default first.
pub fn device_names() -> Vec<&'static str> {
    let mut names = vec!["flex"];
    if cfg!(feature = "ndarray") {
        names.push("ndarray");
    }
    if cfg!(feature = "wgpu") {
        names.push("wgpu");
    }
    names
}

/// The device called `name`, without gradients.
///
/// # Errors
/// A name that is unknown or not compiled in.
pub fn device(name: &str) -> Result<Device, LlamaError> {
    match name {
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(feature = "wgpu")]
        "wgpu" => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        _ => Err(LlamaError::Device { name: name.into(), available: device_names().join(", ") }),
    }
}
