mod documentation;
mod given;
mod hash;
mod life;
mod lint;
mod proof;
mod properties;
mod unfold;
